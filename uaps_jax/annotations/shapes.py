"""Annotated regions, and the mask that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uaps_jax.datasets.common import MOST_PIXELS

IGNORE = "ignore"
"""Name in `classes.yaml` of pixels without a label."""

IGNORE_VALUE = 255
MOST_CLASSES = 254


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A region with a label.

    Attributes:
      label: name of its class; "ignore" for pixels without a label.
      polygons: float64 [N, 2] each, (x, y) in pixels; the region is their union.
      circle: x and y of the centre and the radius of a circle, in place of polygons.
      bitmap: column and row of its corner, and bool [h, w], in place of both.
    """

    label: str
    polygons: Sequence[np.ndarray] = ()
    circle: tuple[float, float, float] | None = None
    bitmap: tuple[int, int, np.ndarray] | None = None


class Annotated(NamedTuple):
    """One image.

    Attributes:
      name: path without the suffix of its format, relative to the folder of the images.
      image: its file.
      size: width and height that the annotation is for.
      shapes: in the order in which they are drawn; None if it has no annotation.
    """

    name: str
    image: Path
    size: tuple[int, int] | None
    shapes: Sequence[Shape] | None


def values(classes: Sequence[str]) -> dict[str, int]:
    """The mask value of every class, "background" and "ignore" included.

    Raises:
      ValueError: there are more than 254 classes beside the background.
    """
    named = [name for name in classes if name not in ("background", IGNORE)]
    if len(named) > MOST_CLASSES:
        raise ValueError(f"{len(named)} classes, of which a mask can have {MOST_CLASSES}")
    mapping = {"background": 0} | {name: value for value, name in enumerate(named, start=1)}
    return mapping | ({IGNORE: IGNORE_VALUE} if IGNORE in classes else {})


def checked_size(width: object, height: object) -> tuple[int, int]:
    """Width and height that an annotation states.

    Raises:
      ValueError: they are no sizes of an image that is read.
    """
    sides = int(str(width)), int(str(height))
    if min(sides) < 1 or sides[0] * sides[1] > MOST_PIXELS:
        raise ValueError(f"an image of {width} x {height} pixels")
    return sides


def mask(shapes: Sequence[Shape], size: tuple[int, int], of: Mapping[str, int]) -> np.ndarray:
    """The mask of an image: a pixel has the value of the last region that its centre lies in.

    Args:
      shapes: the regions.
      size: width and height.
      of: value of each label.

    Returns:
      uint8 [height, width].
    """
    drawn = np.full((size[1], size[0]), of["background"], np.uint8)
    for shape in shapes:
        value = of[shape.label]
        if shape.bitmap is not None:
            _paste(drawn, *shape.bitmap, value)
        if shape.circle is not None:
            x, y, radius = shape.circle
            rows, columns = (np.arange(side) + 0.5 for side in drawn.shape)
            drawn[np.hypot(*np.meshgrid(columns - x, rows - y)) < radius] = value
        for polygon in shape.polygons:
            _fill(drawn, polygon, value)
    return drawn


def _paste(drawn: np.ndarray, x: int, y: int, region: np.ndarray, value: int) -> None:
    """Gives the pixels of a bitmap a value; what lies outside of the image is left out."""
    rows, columns = np.nonzero(region)
    rows, columns = rows + y, columns + x
    is_in = (rows >= 0) & (rows < drawn.shape[0]) & (columns >= 0) & (columns < drawn.shape[1])
    drawn[rows[is_in], columns[is_in]] = value


def _fill(drawn: np.ndarray, polygon: np.ndarray, value: int) -> None:
    """Gives the pixels whose centres lie in a polygon a value, by the even-odd rule."""
    x, y = polygon.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    height = len(drawn)
    first, last = np.clip(np.floor([y.min(), y.max()]), 0, height - 1).astype(int)
    for row in range(first, last + 1):
        centre = row + 0.5
        crosses = (y <= centre) != (next_y <= centre)
        share = (centre - y[crosses]) / (next_y[crosses] - y[crosses])
        at = np.sort(x[crosses] + share * (next_x[crosses] - x[crosses]))
        columns = np.clip(np.ceil(at - 0.5), 0, drawn.shape[1]).astype(int)
        for start, stop in zip(columns[::2], columns[1::2], strict=True):
            drawn[row, start:stop] = value
