"""What the pixels of cyclic masks can weigh, and the passes that write other weights than URN's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.data import targets
from uaps_jax.labels import IGNORE
from uaps_jax.recipes import target_files
from uaps_jax.recipes.cyclic_masks import MOST_CONFIDENT
from uaps_jax.recipes.rough_masks import CONFIDENCE
from uaps_jax.recipes.stage import Pass, Place


class Weighting(NamedTuple):
    """What the second phase learns.

    Attributes:
      stage: that writes its masks, and weights where they are used.
      form: of the weights, `method.weighting`.
    """

    stage: str
    form: Literal["none", "hard", "soft"]


WEIGHTINGS: Mapping[str, Weighting] = {
    "none": Weighting("phase_0", "none"),
    "cyclic": Weighting("cyclic", "none"),
    "hard": Weighting("cyclic", "hard"),
    "soft": Weighting("cyclic", "soft"),
    "threshold": Weighting("threshold", "hard"),
    "oracle": Weighting("oracle", "hard"),
}
"""The masks of the first phase as they are; cyclic masks alone; with URN's weights, hard or soft;
with a threshold of the largest probability; with the true errors down-weighted, which takes the
masks that the study hides."""

Weights = Callable[[Place, str, np.ndarray], np.ndarray]
"""A place, the name of an image and its cyclic mask to weights, uint8 `[H, W]`, all at the size of
the network's input."""


def by_confidence(*, name: str, folder: str, data: DataConfig, least: float) -> Pass:
    """The cyclic masks, with weight 0 where the largest probability is below `least`, else 1."""

    def weights(place: Place, one: str, mask: np.ndarray) -> np.ndarray:
        del mask
        file = target_files.file_of(place.inputs["cyclic"], CONFIDENCE, one)
        is_sure = target_files.read_grey(file) >= least * MOST_CONFIDENT
        return np.where(is_sure, 255, 0).astype(np.uint8)

    options = {"pass": "weights by confidence", "least": least}
    return _weighted(name, folder, data, options, weights)


def by_truth(*, name: str, folder: str, data: DataConfig) -> Pass:
    """The cyclic masks, with weight 0 where they are wrong by the dataset's masks, else 1.

    All of their images have a mask in the dataset.
    """

    def weights(place: Place, one: str, mask: np.ndarray) -> np.ndarray:
        truth = target_files.truth(place.dataset, one, data)
        is_right = (mask == truth) | (truth == IGNORE)
        return np.where(is_right, 255, 0).astype(np.uint8)

    return _weighted(name, folder, data, {"pass": "weights by truth"}, weights)


def _weighted(
    name: str, folder: str, data: DataConfig, options: Mapping[str, Any], weights: Weights
) -> Pass:
    """The masks of the stage `cyclic` with other weights."""

    def write(place: Place) -> None:
        cyclic = place.inputs["cyclic"]
        for one in target_files.names_in(cyclic):
            content = target_files.file_of(cyclic, targets.MASKS, one).read_bytes()
            target_files.write_content(
                target_files.file_of(place.folder, targets.MASKS, one), content
            )
            mask = target_files.read(cyclic, targets.MASKS, one, data)
            found = weights(place, one, mask)
            target_files.write(place.folder, targets.WEIGHTS, one, found, place.dataset, data)

    return Pass(
        name=name,
        folder=folder,
        inputs=("cyclic",),
        options={**options, **target_files.of_size(data)},
        write=write,
    )
