"""Sizes and channels of the images that a model was trained on, to notice others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from uaps_jax.data import threads
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import SIXTEEN_BIT_GREY, open_image, read_image

MEASURED, DECODED = 4096, 256
"""How many images of a training are opened for their sizes, and decoded for their colours."""


_GREY_MODES = frozenset({"1", "L", "LA", *SIXTEEN_BIT_GREY})  # of Pillow


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photographs:
    """What images have in common.

    Attributes:
      heights: the smallest and the largest, in pixels, of those that were opened.
      widths: likewise.
      grey: how many are grey, of those that were decoded.
      colour: how many of these have colours.
    """

    heights: tuple[int, int]
    widths: tuple[int, int]
    grey: int
    colour: int

    def to_json(self) -> dict[str, Any]:
        """The attributes, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Photographs:
        """That of `to_json`."""
        low_and_high = {key: tuple(entries[key]) for key in ("heights", "widths")}
        return cls(**{**entries, **low_and_high})

    def differences(self, size: tuple[int, int], *, is_grey: bool) -> Iterator[str]:
        """Sentences about an image that is unlike all of these.

        Args:
          size: its height and width.
          is_grey: whether it has grey levels alone.
        """
        (low_h, high_h), (low_w, high_w) = self.heights, self.widths
        if not (low_h <= size[0] <= high_h and low_w <= size[1] <= high_w):
            yield (
                f"its size is not one of the training, which had {_range(self.widths)} x "
                f"{_range(self.heights)} px: defects are found best at the scale of the training"
            )
        if is_grey and not self.grey:
            yield "it is grey, and the photographs of the training have colours"
        if not is_grey and not self.colour:
            yield "it has colours, and the photographs of the training are grey"


def of(dataset: Dataset, names: Iterable[str]) -> Photographs:
    """Of the images of these names, at least one; of many, `MEASURED` and `DECODED` of them."""
    names = list(names)

    def size(name: str) -> tuple[int, int]:
        with open_image(_image(dataset, name)) as image:
            return image.size

    widths, heights = zip(
        *threads.mapped(size, _spread(names, MEASURED), ahead=threads.THREADS), strict=True
    )
    some = _spread(names, DECODED)
    are_grey = [grey for _, grey in _seen(dataset, some)]
    return Photographs(
        heights=(min(heights), max(heights)),
        widths=(min(widths), max(widths)),
        grey=sum(are_grey),
        colour=len(some) - sum(are_grey),
    )


def unlike(dataset: Dataset, names: Iterable[str], known: Photographs) -> dict[str, list[str]]:
    """Sentence of `Photographs.differences` -> the images of these names that it is about."""
    found: dict[str, list[str]] = {}
    names = list(names)
    for name, ((width, height), grey) in zip(names, _seen(dataset, names), strict=True):
        for sentence in known.differences((height, width), is_grey=grey):
            found.setdefault(sentence, []).append(name)
    return found


def _seen(dataset: Dataset, names: Iterable[str]) -> Iterator[tuple[tuple[int, int], bool]]:
    """Width and height of each image, and whether it is grey.

    The pixels say so, too: grey images are stored as RGB where they were not 8-bit PNG or JPEG.
    """

    def look(name: str) -> tuple[tuple[int, int], bool]:
        data = _image(dataset, name)
        with open_image(data) as image:
            size, mode = image.size, image.mode
        return size, mode in _GREY_MODES or is_grey(read_image(data))

    return threads.mapped(look, list(names), ahead=threads.THREADS)


def _spread(names: Sequence[str], most: int) -> Sequence[str]:
    """All names, or as many as `most` of them at equal distances."""
    return names[:: -(-len(names) // most)]


def _image(dataset: Dataset, name: str) -> bytes:
    part, index = dataset.position[name]
    data: bytes = dataset.records[part][index]["image"]
    return data


def is_grey(pixels: np.ndarray) -> bool:
    """Whether an image, uint8 RGB `[H, W, 3]`, has grey levels alone."""
    return all(bool((row == row[:, :1]).all()) for row in pixels)


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return str(low) if low == high else f"{low} to {high}"
