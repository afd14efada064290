"""One score of an image from an ensemble's predictions: an uncertainty and its aggregation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from uaps_jax.acquisition import aggregation
from uaps_jax.acquisition.uncertainty import UNCERTAINTIES, Uncertainty

Aggregation = Literal["mean", "top_share", "predicted_foreground", "class_balanced", "worst_window"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """The score of an image, not negative; the image of the highest is to be annotated first.

    Attributes:
      uncertainty: a function of `acquisition.uncertainty`.
      aggregation: a function of `acquisition.aggregation`.
      share: of the pixels, in (0, 1], for "top_share".
      border: in pixels, 0 or more, for "predicted_foreground".
      side: in pixels, 1 or more, for "worst_window".

    Raises:
      ValueError: an unknown name or a number out of its range; all of them are named.
    """

    uncertainty: Uncertainty
    aggregation: Aggregation
    share: float
    border: int
    side: int

    def __post_init__(self) -> None:
        problems = []
        for name, kind in (("uncertainty", Uncertainty), ("aggregation", Aggregation)):
            value, names = getattr(self, name), get_args(kind)
            if value not in names:
                problems.append(f"{name} = {value!r}: must be one of {', '.join(names)}")
        if not 0 < self.share <= 1:
            problems.append(f"share = {self.share}: must be above 0, up to 1")
        if not self.border >= 0:
            problems.append(f"border = {self.border}: cannot be negative")
        if not self.side >= 1:
            problems.append(f"side = {self.side}: must be at least 1")
        if problems:
            raise ValueError("\n".join(problems))

    def __call__(self, probabilities: np.ndarray) -> float:
        """Of one image, from the probabilities of M members, `[M, H, W, C]`.

        Raises:
          ValueError: probabilities of another shape, or fewer members than the uncertainty needs.
        """
        if probabilities.ndim != 4 or not probabilities.size:
            raise ValueError(
                f"probabilities have the shape {probabilities.shape}: must be [M, H, W, C], of the "
                "M members of an ensemble for one image"
            )
        return self.of_maps(*self.maps(probabilities))

    def maps(self, probabilities: np.ndarray) -> Sequence[np.ndarray]:
        """What the score of images is made of, from the M members' probabilities, `[M, ..., C]`.

        Returns:
          The uncertainty of each pixel, `[...]`, and, for an aggregation that looks at predicted
          classes, the members' mean, `[..., C]`.

        Raises:
          ValueError: fewer members than the uncertainty needs.
        """
        of_pixels = UNCERTAINTIES[self.uncertainty](probabilities)
        if self.aggregation in ("predicted_foreground", "class_balanced"):
            return of_pixels, probabilities.mean(0)
        return (of_pixels,)

    def of_maps(self, of_pixels: np.ndarray, mean: np.ndarray | None = None) -> float:
        """Of one image, from its `maps`, `[H, W]` and `[H, W, C]`."""
        match self.aggregation:
            case "mean":
                return aggregation.mean(of_pixels)
            case "top_share":
                return aggregation.top_share(of_pixels, self.share)
            case "worst_window":
                return aggregation.worst_window(of_pixels, self.side)
        assert mean is not None
        if self.aggregation == "class_balanced":
            return aggregation.class_balanced(of_pixels, mean)
        return aggregation.predicted_foreground(of_pixels, mean, self.border)


DEFAULT = Score(uncertainty="entropy", aggregation="top_share", share=0.05, border=2, side=64)
"""Entropy needs no ensemble, and uses one where there is one. The most uncertain 5 % of the pixels
are about as many as a defect has: the mean over all pixels is that of the background."""
