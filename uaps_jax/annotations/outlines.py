"""Polygons of a mask, in an order in which drawing them gives the mask again.

An outline goes through the middles of the edges between pixels. It is never nearer than
1 / (2 sqrt(2)) = 0.354 px to the centre of a pixel, so it may be simplified by less than that
without a change of the pixels whose centres it encloses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

TOLERANCE = 0.34
"""The largest distance in px between an outline and its simplification (0.354 less what rounding to
hundredths takes)."""

_FOUR = ndimage.generate_binary_structure(2, 1)
EIGHT = ndimage.generate_binary_structure(2, 2)
"""The neighbours of a pixel that touch it, at a corner too."""

# The sides of a pixel, clockwise: the step along a side -> the neighbour behind it, and the corner
# where it begins, as (x, y).
_SIDES = {
    (1, 0): ((0, -1), (0, 0)),
    (0, 1): ((1, 0), (1, 0)),
    (-1, 0): ((0, 1), (1, 1)),
    (0, -1): ((-1, 0), (0, 1)),
}
_RIGHT = {(1, 0): (0, 1), (0, 1): (-1, 0), (-1, 0): (0, -1), (0, -1): (1, 0)}
_LEFT = {after: before for before, after in _RIGHT.items()}


class Outline(NamedTuple):
    """The outer edge of a connected region.

    Attributes:
      value: of its pixels.
      points: float [N, 2], (x, y) in px; the corner of the image is (0, 0).
      filled: number of pixels inside of it, those of other regions included.
    """

    value: int
    points: np.ndarray
    filled: int


def outlines(mask: np.ndarray, is_joined: bool) -> list[Outline]:
    """The outlines of all regions, in the order in which they are to be drawn, one over the other.

    A region of the background is one of them if it is enclosed by others.

    Args:
      mask: uint8 [height, width]; 0 is the background.
      is_joined: whether foreground pixels that touch at a corner alone are of one region. Then two
        classes may cross each other, and drawing does not give the mask again.
    """
    found: list[Outline] = []
    for value in np.unique(mask).tolist():
        near = EIGHT if is_joined and value else _FOUR
        labels, _ = ndimage.label(mask == value, near)
        for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
            region = labels[rows, columns] == number
            if not value and _touches_edge(rows, columns, mask.shape):
                continue
            filled = ndimage.binary_fill_holes(region, _FOUR if near is EIGHT else EIGHT)
            points = _traced(filled, near is EIGHT) + np.array([columns.start, rows.start])
            found.append(Outline(value, simplified(points), int(filled.sum())))
    # What lies in a hole of a region is smaller than that region with its holes.
    return sorted(found, key=lambda outline: -outline.filled)


def _touches_edge(rows: slice, columns: slice, shape: Sequence[int]) -> bool:
    return not (rows.start and columns.start and rows.stop < shape[0] and columns.stop < shape[1])


def _traced(filled: np.ndarray, is_joined: bool) -> np.ndarray:
    """The middles of the edges around a region without holes, float [N, 2], clockwise.

    Those on a straight line between their neighbours are left out.
    """
    padded = np.pad(filled, 1)
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for step, (neighbour, (right, down)) in _SIDES.items():
        is_edge = padded & ~np.roll(padded, (-neighbour[1], -neighbour[0]), (0, 1))
        for y, x in np.argwhere(is_edge).tolist():
            steps.setdefault((x - 1 + right, y - 1 + down), []).append(step)
    start = min(steps, key=lambda corner: (corner[1], corner[0]))
    corner, step = start, (1, 0)
    middles: list[tuple[float, float]] = []
    while True:
        middles.append((corner[0] + step[0] / 2, corner[1] + step[1] / 2))
        corner = (corner[0] + step[0], corner[1] + step[1])
        if corner == start:
            return _without_straight(np.array(middles))
        turns = (
            (_LEFT[step], step, _RIGHT[step]) if is_joined else (_RIGHT[step], step, _LEFT[step])
        )
        step = next(turn for turn in turns if turn in steps[corner])


def _without_straight(points: np.ndarray) -> np.ndarray:
    before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
    return points[(before != after).any(1)]


def simplified(points: np.ndarray) -> np.ndarray:
    """A closed polygon with the points without which it would differ by more than the tolerance.

    The method of Douglas and Peucker, from the first point and the one that is farthest from it.

    Args:
      points: float [N, 2].

    Returns:
      float [M, 2], at least 3 points.
    """
    far = int(np.argmax(np.linalg.norm(points - points[0], axis=1)))
    kept = np.zeros(len(points) + 1, bool)
    kept[[0, far, -1]] = True
    closed = np.concatenate([points, points[:1]])
    pieces = [(0, far), (far, len(points))]
    while pieces:
        first, last = pieces.pop()
        between = closed[first + 1 : last]
        if not len(between):
            continue
        distances = _distances(between, closed[first], closed[last])
        at = first + 1 + int(np.argmax(distances))
        if distances[at - first - 1] > TOLERANCE:
            kept[at] = True
            pieces += [(first, at), (at, last)]
    return points[kept[:-1]]


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Of points to the line segment between two others."""
    along = end - start
    share = np.clip((points - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(points - start - share[:, None] * along, axis=1))
