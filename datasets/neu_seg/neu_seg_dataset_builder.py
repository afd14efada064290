"""The TFDS builder of NEU-Seg."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds
from absl import logging

from uaps_jax.datasets.neu_seg import layouts
from uaps_jax.datasets.neu_seg.groups import UNKNOWN, groups
from uaps_jax.datasets.segmentation_builder import Example, RawData, SegmentationBuilder

LABELS = ("background", "inclusion", "patches", "scratches")
"""Class names; their positions are the class ids of the masks."""

OFFICIAL_COUNTS = {"training": 3630, "test": 840}
"""Pairs in the complete data set, by the official names of the splits."""

_TFDS_SPLIT = {"training": "train", "test": "test"}


class Builder(SegmentationBuilder):
    """NEU-Seg: 4470 grey images of hot-rolled steel strip, 200x200, with three kinds of defect.

    Splits: "train" (3630) and "test" (840), as the source has them. Names are for example
    "training/000201", unique over both splits, which ids alone are not. Rotated copies of one
    picture share a group; images that are not official have group -1.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Initial release.",
        "1.1.0": "Feature has_mask.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = layouts.INSTRUCTIONS
    DOWNLOAD = "NEU_Seg-main.zip from https://github.com/DHW-Master/NEU_Seg (Code > Download ZIP)"
    HOMEPAGE = "https://github.com/DHW-Master/NEU_Seg"

    def labels(self) -> Sequence[str]:
        return LABELS

    def raw_data(self, manual_dir: Path) -> RawData:
        location = layouts.find(manual_dir)
        pairs, problems = layouts.pairs(location)
        _warn_if_incomplete(pairs)
        known = groups()
        examples = [
            Example(_TFDS_SPLIT[p.split], p.name, p.image, p.mask, known.get(p.name, UNKNOWN))
            for p in pairs
        ]
        return RawData(tree=location.tree, examples=examples, problems=problems)


def _warn_if_incomplete(pairs: Sequence[layouts.Pair]) -> None:
    counts = Counter(pair.split for pair in pairs)
    for split, official in OFFICIAL_COUNTS.items():
        if counts[split] != official:
            logging.warning(
                "NEU-Seg: %d pairs in the %s split, the complete data set has %d; results will not "
                "be comparable with published ones.",
                counts[split],
                split,
                official,
            )
