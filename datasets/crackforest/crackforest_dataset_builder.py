"""The TFDS builder of CrackForest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from uaps_jax.datasets.crackforest import layouts
from uaps_jax.datasets.crackforest.mat_masks import CRACK, REGIONS, read_segmentation
from uaps_jax.datasets.own_groups import own_groups
from uaps_jax.datasets.segmentation_builder import Example, RawData, SegmentationBuilder
from uaps_jax.labels import IGNORE

LABELS = ("background", "crack")
"""Class names; their positions are the class ids of the masks."""

OFFICIAL_COUNTS = (155, 118)
"""Images of the complete data set, and those of them that have an annotation."""

_CRACK_ID = LABELS.index("crack")


@dataclasses.dataclass(eq=False, kw_only=True)
class CrackForestConfig(tfds.core.BuilderConfig):
    """The treatment of the regions that cracks enclose.

    Attributes:
      ignore_regions: whether they count as no label; otherwise they are background.
    """

    ignore_regions: bool = False


class Builder(SegmentationBuilder):
    """CrackForest: 155 photographs of asphalt, cracks marked in 118; 480x320, two of them 320x480.

    Configs: "crack" (the default: a crack is a crack, all else is background) and
    "crack_regions_ignored" (regions that cracks enclose have no label).

    Splits: "train" alone; the source has no split. Names are file names without suffix. The
    images without an annotation have `has_mask` 0. Each image has a leakage group of its own.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = layouts.INSTRUCTIONS
    DOWNLOAD = (
        "CrackForest-dataset-master.zip from "
        "https://github.com/cuilimeng/CrackForest-dataset (Code > Download ZIP)"
    )
    HOMEPAGE = "https://github.com/cuilimeng/CrackForest-dataset"
    BUILDER_CONFIGS: ClassVar[list[CrackForestConfig]] = [
        CrackForestConfig(name="crack", description="Crack against all else."),
        CrackForestConfig(
            name="crack_regions_ignored",
            ignore_regions=True,
            description="Crack against background; regions enclosed by cracks have no label.",
        ),
    ]

    builder_config: CrackForestConfig

    def labels(self) -> Sequence[str]:
        return LABELS

    def raw_data(self, manual_dir: Path) -> RawData:
        location = layouts.find(manual_dir)
        examples, problems = layouts.examples(location)
        _warn_if_incomplete(examples)
        return RawData(tree=location.tree, examples=own_groups(examples), problems=problems)

    def decode_mask(self, data: bytes, example: Example) -> np.ndarray:
        values = read_segmentation(data)
        ids = np.where(values == CRACK, _CRACK_ID, 0).astype(np.uint8)
        if self.builder_config.ignore_regions:
            ids[np.isin(values, REGIONS)] = IGNORE
        return ids


def _warn_if_incomplete(examples: Sequence[Example]) -> None:
    counts = (len(examples), sum(example.mask is not None for example in examples))
    if counts != OFFICIAL_COUNTS:
        logging.warning(
            "CrackForest: %d images, %d of them with an annotation; the complete data set has %d "
            "and %d. Results will not be comparable with published ones, and an image whose "
            "annotation was lost counts as one without.",
            *counts,
            *OFFICIAL_COUNTS,
        )
