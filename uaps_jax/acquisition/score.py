"""One score of an image from an ensemble's predictions: an uncertainty and its aggregation."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from uaps_jax.acquisition import aggregation
from uaps_jax.acquisition.uncertainty import UNCERTAINTIES

Aggregation = Literal["mean", "top_share", "predicted_foreground", "class_balanced", "worst_window"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """The score of an image, not negative; the image of the highest is to be annotated first.

    Attributes:
      uncertainty: a name of `UNCERTAINTIES`.
      aggregation: a function of `acquisition.aggregation`.
      share: of the pixels, for "top_share".
      border: in pixels, for "predicted_foreground".
      side: in pixels, for "worst_window".
    """

    uncertainty: str
    aggregation: Aggregation
    share: float
    border: int
    side: int

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
        of_pixels = UNCERTAINTIES[self.uncertainty](probabilities)
        match self.aggregation:
            case "mean":
                return aggregation.mean(of_pixels)
            case "top_share":
                return aggregation.top_share(of_pixels, self.share)
            case "predicted_foreground":
                return aggregation.predicted_foreground(
                    of_pixels, probabilities.mean(0), self.border
                )
            case "class_balanced":
                return aggregation.class_balanced(of_pixels, probabilities.mean(0))
            case "worst_window":
                return aggregation.worst_window(of_pixels, self.side)


DEFAULT = Score(uncertainty="entropy", aggregation="top_share", share=0.05, border=2, side=64)
"""Entropy needs no ensemble, and uses one where there is one. The most uncertain 5 % of the pixels
are about as many as a defect has: the mean over all pixels is that of the background."""
