"""The TFDS builder of KolektorSDD2."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from uaps_jax.datasets.binary_masks import read_binary
from uaps_jax.datasets.empty_masks import without_empty
from uaps_jax.datasets.ksdd2 import layouts
from uaps_jax.datasets.own_groups import own_groups
from uaps_jax.datasets.segmentation_builder import Example, RawData, SegmentationBuilder

LABELS = ("background", "defect")
"""Class names; their positions are the class ids of the masks."""

OFFICIAL_COUNTS = {False: {"train": 246, "test": 110}, True: {"train": 2331, "test": 1004}}
"""Images by split, without and with defect-free ones."""

_DEFECT = 1
_UNKNOWN = -1


@dataclasses.dataclass(eq=False, kw_only=True)
class Ksdd2Config(tfds.core.BuilderConfig):
    """The choice of images.

    Attributes:
      free: whether images without a defect are included.
    """

    free: bool = False


class Builder(SegmentationBuilder):
    """KolektorSDD2: colour images of a part's surface, about 230x630, some with a defect.

    Configs: "defective" (the default, 356 images) and "all" (3335).

    Splits: "train" and "test", as the source has them. Names are for example "train/10301". Each
    image has a leakage group of its own.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = layouts.INSTRUCTIONS
    DOWNLOAD = "KolektorSDD2.zip from https://www.vicos.si/resources/kolektorsdd2/"
    HOMEPAGE = "https://www.vicos.si/resources/kolektorsdd2/"
    BUILDER_CONFIGS: ClassVar[list[Ksdd2Config]] = [
        Ksdd2Config(name="defective", description="Images with a defect."),
        Ksdd2Config(name="all", free=True, description="All images."),
    ]

    builder_config: Ksdd2Config

    def labels(self) -> Sequence[str]:
        return LABELS

    def raw_data(self, manual_dir: Path) -> RawData:
        free = self.builder_config.free
        location = layouts.find(manual_dir)
        pairs, problems = layouts.pairs(location)
        examples = [
            Example(split, f"{split}/{p.id}", p.image, p.mask, _UNKNOWN)
            for split, matched in pairs.items()
            for p in matched
        ]
        raw = RawData(tree=location.tree, examples=examples, problems=problems)
        if not free:
            raw = without_empty(raw, self.decode_mask)
        _warn_if_incomplete(raw.examples, free)
        return dataclasses.replace(raw, examples=own_groups(raw.examples))

    def decode_mask(self, data: bytes, example: Example) -> np.ndarray:
        return read_binary(data, _DEFECT)


def _warn_if_incomplete(examples: Iterable[Example], free: bool) -> None:
    counts = Counter(example.split for example in examples)
    for split, official in OFFICIAL_COUNTS[free].items():
        if counts[split] != official:
            logging.warning(
                "KolektorSDD2: %d images%s in the %s split, the complete data set has %d; results "
                "will not be comparable with published ones.",
                counts[split],
                "" if free else " with a defect",
                split,
                official,
            )
