"""Annotated regions, and the mask that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uaps_jax.annotations import run_lengths
from uaps_jax.datasets.common import MOST_PIXELS
from uaps_jax.datasets.folder.class_map import IGNORE_NAME

FAILURES = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(OSError, RecursionError),
)
"""What reading a damaged annotation raises."""

MOST_CORNERS = 100_000
"""Of one polygon."""

LEAST_RADIUS = 1e-3
"""Of an ellipse, in px."""

BACKGROUND = "background"
IGNORE_VALUE = 255


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A region with a label.

    Attributes:
      label: name of its class; "ignore" for pixels without a label.
      polygons: float64 [N, 2] each, (x, y) in pixels; the region is their union.
      ellipse: x and y of the centre, the radii along both axes, and the degrees by which it is
        turned clockwise, in place of polygons.
      runs: lengths of runs of the whole image, see `run_lengths`, in place of both.
    """

    label: str
    polygons: Sequence[np.ndarray] = ()
    ellipse: tuple[float, float, float, float, float] | None = None
    runs: np.ndarray | None = None


class Annotated(NamedTuple):
    """One image.

    Attributes:
      name: path without the suffix of its format, relative to the folder of the images.
      image: its file.
      size: width and height that the annotation is for; None if it does not say.
      shapes: in the order in which they are drawn; None if it has no annotation.
    """

    name: str
    image: Path
    size: tuple[int, int] | None
    shapes: Sequence[Shape] | None


def values(classes: Sequence[str], background: str) -> dict[str, int]:
    """The mask value of every class, the background first; "ignore" too, if it is among them.

    A mask has room for 254 classes beside the background.

    Args:
      classes: names; those of the background may be among them.
      background: the name of value 0. The label "background" stands for 0 in any case.
    """
    named = [name for name in classes if name not in (background, BACKGROUND, IGNORE_NAME)]
    mapping = {background: 0, BACKGROUND: 0}
    mapping |= {name: value for value, name in enumerate(named, start=1)}
    return mapping | ({IGNORE_NAME: IGNORE_VALUE} if IGNORE_NAME in classes else {})


def label(text: object) -> str:
    """A label without spaces around it; "background" and "ignore" in their spelling here.

    Raises:
      ValueError: it is no text, or empty.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the label {text!r} is empty or no text")
    name = text.strip()
    own = name.casefold().strip("_")
    return own if own in (BACKGROUND, IGNORE_NAME) else name


def checked_size(width: object, height: object) -> tuple[int, int]:
    """Width and height that an annotation states.

    Raises:
      ValueError: they are no sizes of an image that is read.
    """
    sides = int(float(str(width))), int(float(str(height)))
    if min(sides) < 1 or sides[0] * sides[1] > MOST_PIXELS:
        raise ValueError(f"an image of {width} x {height} pixels")
    return sides


def reason(error: BaseException) -> str:
    """What an error of reading says, for a person."""
    if isinstance(error, KeyError):
        return f"has no {error}"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, (TypeError, AttributeError, IndexError)):
        return f"has values of another kind than it should: {error}"
    return str(error) or type(error).__name__


def points(of: object) -> np.ndarray:
    """Corners, float64 [N, 2].

    Raises:
      ValueError: they are no pairs of finite numbers.
    """
    corners = np.asarray(of, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise ValueError("the points of a region are not pairs of numbers")
    return corners


def polygon(of: object, size: tuple[int, int]) -> np.ndarray:
    """The corners of a polygon, float64 [N, 2].

    Args:
      of: pairs of numbers, or all numbers in a row.
      size: width and height of the image.

    Raises:
      ValueError: they are no polygon, or one outside of the image.
    """
    numbers = np.asarray(of, np.float64)
    corners = points(numbers.reshape(-1, 2) if numbers.ndim == 1 else numbers)
    if len(corners) < 3:
        raise ValueError("a polygon has fewer than three corners, and no area")
    if len(corners) > MOST_CORNERS:
        raise ValueError(f"a polygon of {len(corners)} corners; at most {MOST_CORNERS} are read")
    _check_inside(corners.min(0), corners.max(0), size)
    return corners


def ellipse(label: str, of: Sequence[float], size: tuple[int, int]) -> Shape:
    """An ellipse of centre, radii and rotation, see `Shape.ellipse`.

    Raises:
      ValueError: it has no area, or lies outside of the image.
    """
    x, y, a, b, degrees = map(float, of)
    if not np.isfinite([x, y, a, b, degrees]).all() or min(a, b) < LEAST_RADIUS:
        raise ValueError("an ellipse or circle has no area")
    reach = max(a, b)
    _check_inside(np.array([x - reach, y - reach]), np.array([x + reach, y + reach]), size)
    return Shape(label=label, ellipse=(x, y, a, b, degrees))


def part(label: str, at: tuple[int, int], region: np.ndarray, size: tuple[int, int]) -> Shape:
    """A region that is given as bool [h, w] with its first pixel at a column and a row.

    Raises:
      ValueError: it lies outside of the image.
    """
    low = np.array(at, np.float64)
    _check_inside(low, low + region.shape[::-1], size)
    return Shape(label=label, runs=run_lengths.of_part(region, *at, (size[1], size[0])))


def _check_inside(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> None:
    """Checks that a box of two corners, (x, y), meets the image, and is not far larger."""
    reach = 100 * max(size)
    if (high < 0).any() or (low > size).any() or (low < -reach).any() or (high > reach).any():
        raise ValueError(
            f"a region from ({low[0]:g}, {low[1]:g}) to ({high[0]:g}, {high[1]:g}) lies outside of "
            f"the image of {size[0]} x {size[1]} pixels"
        )


def mask(shapes: Sequence[Shape], size: tuple[int, int], of: Mapping[str, int]) -> np.ndarray:
    """The mask of an image: a pixel has the value of the last region that its centre lies in.

    Args:
      shapes: the regions.
      size: width and height.
      of: value of each label.

    Returns:
      uint8 [height, width].
    """
    drawn = np.full((size[1], size[0]), of[BACKGROUND], np.uint8)
    for shape in shapes:
        draw(drawn, shape, of[shape.label])
    return drawn


def draw(drawn: np.ndarray, shape: Shape, value: int) -> bool:
    """Gives the pixels of a region a value, in place; returns whether it has any.

    Args:
      drawn: uint8 [height, width].
      shape: the region.
      value: of its pixels.
    """
    if shape.runs is not None:
        return run_lengths.draw(drawn, shape.runs, value)
    if shape.ellipse is not None:
        return _fill_ellipse(drawn, *shape.ellipse, value)
    return any([_fill(drawn, polygon, value) for polygon in shape.polygons])


def _fill_ellipse(
    drawn: np.ndarray, x: float, y: float, a: float, b: float, degrees: float, value: int
) -> bool:
    """Gives the pixels whose centres lie in an ellipse a value."""
    height, width = drawn.shape
    reach, angle = max(a, b), np.deg2rad(degrees)
    top, bottom = np.clip([y - reach, y + reach + 1], 0, height).astype(int)
    left, right = np.clip([x - reach, x + reach + 1], 0, width).astype(int)
    down = np.arange(top, bottom)[:, None] + 0.5 - y
    along = np.arange(left, right) + 0.5 - x
    first = (along * np.cos(angle) + down * np.sin(angle)) / a
    second = (down * np.cos(angle) - along * np.sin(angle)) / b
    is_in = first**2 + second**2 < 1
    drawn[top:bottom, left:right][is_in] = value
    return bool(is_in.any())


def _fill(drawn: np.ndarray, polygon: np.ndarray, value: int) -> bool:
    """Gives the pixels whose centres lie in a polygon a value, by the even-odd rule."""
    x, y = polygon.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    height, has_pixels = len(drawn), False
    first, last = np.clip(np.floor([y.min(), y.max()]), 0, height - 1).astype(int)
    for row in range(first, last + 1):
        centre = row + 0.5
        crosses = (y <= centre) != (next_y <= centre)
        share = (centre - y[crosses]) / (next_y[crosses] - y[crosses])
        at = np.sort(x[crosses] + share * (next_x[crosses] - x[crosses]))
        columns = np.clip(np.ceil(at - 0.5), 0, drawn.shape[1]).astype(int)
        for start, stop in zip(columns[::2], columns[1::2], strict=True):
            drawn[row, start:stop] = value
            has_pixels |= bool(start < stop)
    return has_pixels
