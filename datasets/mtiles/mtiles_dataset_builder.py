"""The TFDS builder of the magnetic tiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from uaps_jax.datasets.binary_masks import MIDDLE, read_binary
from uaps_jax.datasets.common import UnreadableError, read_mask
from uaps_jax.datasets.empty_masks import without_empty
from uaps_jax.datasets.mtiles import layouts
from uaps_jax.datasets.segmentation_builder import Example, RawData, SegmentationBuilder

LABELS = ("background", "blowhole", "break", "crack", "fray", "uneven")
"""Class names; their positions are the class ids of the masks."""

MERGED = ("background", "defect")
"""Those of the configs with one class of defects."""

OFFICIAL_COUNTS = {False: 388, True: 1344}
"""Images of the complete data set, without and with defect-free tiles."""


@dataclasses.dataclass(eq=False, kw_only=True)
class MTilesConfig(tfds.core.BuilderConfig):
    """The choice of tiles, and the threshold of the anti-aliased masks.

    Attributes:
      free: whether images without a defect are included: those of MT_Free, and the four of
        MT_Uneven whose mask is empty.
      threshold: mask values above it are foreground, 0 <= threshold < 255. The masks have grey
        edges: the median crack is 1.5 times as large at 0 as at 127.
      merged: whether the five kinds of defect are one class.
    """

    free: bool = False
    threshold: int = MIDDLE
    merged: bool = False


class Builder(SegmentationBuilder):
    """Magnetic tiles: grey images of many sizes, with five kinds of defect, one kind an image.

    Configs: "defective" (the default, 388 images), "all" (1344), "defective_above0" and
    "all_above0" (the same with every grey edge pixel as foreground), and "all_merged" (all, the
    five kinds of defect as one class).

    Splits: "train" alone; the source has no split. Names are file names without suffix. Images
    of one tile share a group, see `groups.py`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = layouts.INSTRUCTIONS
    DOWNLOAD = (
        "Magnetic-tile-defect-datasets.-master.zip from "
        "https://github.com/abin24/Magnetic-tile-defect-datasets. (Code > Download ZIP)"
    )
    HOMEPAGE = "https://github.com/abin24/Magnetic-tile-defect-datasets."
    BUILDER_CONFIGS: ClassVar[list[MTilesConfig]] = [
        MTilesConfig(name="defective", description="Images with a defect."),
        MTilesConfig(name="all", free=True, description="All images."),
        MTilesConfig(
            name="defective_above0",
            threshold=0,
            description="Images with a defect, grey edges of masks included.",
        ),
        MTilesConfig(
            name="all_above0",
            free=True,
            threshold=0,
            description="All images, grey edges of masks included.",
        ),
        MTilesConfig(
            name="all_merged",
            free=True,
            merged=True,
            description="All images, every kind of defect the same class.",
        ),
    ]

    builder_config: MTilesConfig

    def labels(self) -> Sequence[str]:
        return MERGED if self.builder_config.merged else LABELS

    def raw_data(self, manual_dir: Path) -> RawData:
        config = self.builder_config
        location = layouts.find(manual_dir, config.free)
        examples, problems = layouts.examples(location, config.free)
        if location.layout != layouts.OFFICIAL and config.threshold != MIDDLE:
            logging.warning(
                "Magnetic tiles: the masks of the %s layout hold class ids, so the threshold %d of "
                "%s is not applied.",
                location.layout,
                config.threshold,
                config.name,
            )
        raw = RawData(tree=location.tree, examples=examples, problems=problems)
        if not config.free:
            raw = without_empty(raw, self.decode_mask)
        _warn_if_incomplete(len(raw.examples), config.free)
        return raw

    def decode_mask(self, data: bytes, example: Example) -> np.ndarray:
        ids = self._class_ids(data, example)
        if self.builder_config.merged:
            ids[(ids > 0) & (ids < len(LABELS))] = 1  # others are found to be invalid
        return ids

    def _class_ids(self, data: bytes, example: Example) -> np.ndarray:
        if example.label is None:
            return read_mask(data)
        # For a defect-free tile, whose mask must be empty, any id but 0 serves.
        ids = read_binary(data, example.label or 1, self.builder_config.threshold)
        if example.label == 0 and ids.any():
            raise UnreadableError(
                f"the mask marks {np.count_nonzero(ids)} pixels, but in MT_Free no tile has a "
                "defect; move image and mask to the folder of their class"
            )
        return ids


def _warn_if_incomplete(count: int, free: bool) -> None:
    if count != OFFICIAL_COUNTS[free]:
        logging.warning(
            "Magnetic tiles: %d images %s, the complete data set has %d; results will not be "
            "comparable with published ones.",
            count,
            "in all" if free else "with a defect",
            OFFICIAL_COUNTS[free],
        )
