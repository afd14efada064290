"""The TFDS builder of DAGM 2007."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from uaps_jax.datasets.binary_masks import read_binary
from uaps_jax.datasets.common import UnreadableError, read_mask
from uaps_jax.datasets.dagm import layouts
from uaps_jax.datasets.own_groups import own_groups
from uaps_jax.datasets.segmentation_builder import Example, RawData, SegmentationBuilder

SIX = (1, 2, 6, 7, 9, 10)
"""The classes of the UAPS study, in the order of their ids there."""

TEN = tuple(range(1, 11))

OFFICIAL_COUNTS = {number: 575 if number <= 6 else 1150 for number in TEN}
"""Images of each class in each half."""

OFFICIAL_DEFECTIVE = {
    "Train": dict(zip(TEN, (79, 66, 66, 82, 70, 83, 150, 150, 150, 150), strict=True)),
    "Test": dict(zip(TEN, (71, 84, 84, 68, 80, 67, 150, 150, 150, 150), strict=True)),
}
"""Images with a defect, by half and class."""

_POOL_NAME = re.compile(r"cl(\d+)_\d+")
_UNKNOWN = -1


@dataclasses.dataclass(eq=False, kw_only=True)
class DagmConfig(tfds.core.BuilderConfig):
    """The classes, with or without their defect-free images.

    Attributes:
      classes: official numbers, 1 to 10; their positions here, counted from 1, are the class ids.
      free: whether images without a defect are included.
    """

    classes: tuple[int, ...] = TEN
    free: bool = True


class Builder(SegmentationBuilder):
    """DAGM 2007: synthetic grey textures, 512x512, with one kind of defect for each of ten classes.

    Configs: "six_defective" (the default: the 1350 images with a defect of six classes, as in the
    UAPS study), "ten_defective" (the 2100 images with a defect, as in PPL) and "ten" (all 16100
    images).

    Splits: "train" and "test", as the source has them. Names are for example "cl1_0602", unique
    over both. Each image has a leakage group of its own.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = layouts.INSTRUCTIONS
    DOWNLOAD = "the archives of DAGM 2007, as *.zip, from https://zenodo.org/records/8086136"
    HOMEPAGE = "https://zenodo.org/records/8086136"
    BUILDER_CONFIGS: ClassVar[list[DagmConfig]] = [
        DagmConfig(
            name="six_defective",
            classes=SIX,
            free=False,
            description="Images with a defect of the classes 1, 2, 6, 7, 9 and 10.",
        ),
        DagmConfig(
            name="ten_defective", free=False, description="Images with a defect of all classes."
        ),
        DagmConfig(name="ten", description="All images of all classes."),
    ]

    builder_config: DagmConfig

    def labels(self) -> Sequence[str]:
        return ("background", *(f"class{number}" for number in self.builder_config.classes))

    def raw_data(self, manual_dir: Path) -> RawData:
        config = self.builder_config
        # Its pool has ids for the six classes and no defect-free images.
        pooled = config.classes == SIX and not config.free
        location = layouts.find(manual_dir, config.classes, uaps=pooled)
        if location.layout != layouts.OFFICIAL:
            pairs, problems = layouts.pool(location)
            examples = [Example("train", p.id, p.image, p.mask, _UNKNOWN) for p in pairs]
            official = sum(OFFICIAL_DEFECTIVE[split][n] for split in layouts.SPLITS for n in SIX)
            if len(examples) != official:
                _warn([f"{len(examples)} images of {official}"])
        else:
            halves, problems = layouts.halves(location.tree, config.classes)
            examples = [example for half in halves for example in self._examples(half)]
            _warn(_deviations(halves, config.classes))
        return RawData(tree=location.tree, examples=own_groups(examples), problems=problems)

    def decode_mask(self, data: bytes, example: Example) -> np.ndarray:
        if example.label is not None:
            return read_binary(data, example.label)
        ids = read_mask(data)
        _check_ids(ids, example.name)
        return ids

    def _examples(self, half: layouts.Half) -> Iterator[Example]:
        label = 1 + self.builder_config.classes.index(half.number)
        for pair in half.pairs:
            name = f"cl{half.number}_{pair.id}"
            split = half.split.lower()
            if pair.id in half.masked:
                yield Example(split, name, pair.image, pair.mask, _UNKNOWN, label=label)
            elif self.builder_config.free:
                yield Example(split, name, pair.image, None, _UNKNOWN, clean=True)


def _check_ids(ids: np.ndarray, name: str) -> None:
    """Raises `UnreadableError` if a mask of the pool has another class than its name."""
    match = _POOL_NAME.fullmatch(name)
    if not match:
        return
    number = int(match[1])
    if number not in SIX:
        raise UnreadableError(f"class {number} is not one of the six of this config")
    expected = 1 + SIX.index(number)
    others = sorted(set(np.unique(ids).tolist()) - {0, expected})
    if others:
        raise UnreadableError(
            f"the mask holds the ids {', '.join(map(str, others))}; for class {number} expected "
            f"are 0 and {expected}, for the classes {', '.join(map(str, SIX))} have the ids 1 to 6"
        )


def _deviations(halves: Sequence[layouts.Half], numbers: Sequence[int]) -> Iterator[str]:
    by_key = {(half.number, half.split): half for half in halves}
    for number in numbers:
        for split in layouts.SPLITS:
            half = by_key.get((number, split))
            images, defective = (len(half.pairs), len(half.masked)) if half else (0, 0)
            official = (OFFICIAL_COUNTS[number], OFFICIAL_DEFECTIVE[split][number])
            if (images, defective) != official:
                yield (
                    f"Class{number}/{split} {images} images, {defective} of them with a defect, "
                    f"of {official[0]} and {official[1]}"
                )


def _warn(deviations: Iterator[str] | list[str]) -> None:
    text = "; ".join(deviations)
    if text:
        logging.warning(
            "DAGM 2007: not the complete data set, so results will not be comparable with "
            "published ones: %s.",
            text,
        )
