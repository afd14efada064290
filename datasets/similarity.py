"""Finds images that show the same thing, rotated or mirrored, by small thumbnails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

THUMBNAIL = 40
"""Side of a thumbnail in pixels: small enough to remove JPEG noise, large enough for texture."""

TURNS = tuple((quarter_turns, False) for quarter_turns in range(4))
"""The four rotations, as (quarter turns, mirrored)."""

TURNS_AND_FLIPS = (*TURNS, *((quarter_turns, True) for quarter_turns in range(4)))
"""The eight symmetries of a square."""

_BLOCK = 512
_FLAT = 1e-6


def turned(images: np.ndarray, quarter_turns: int, mirrored: bool) -> np.ndarray:
    """Images `[N, H, W, ...]` mirrored left to right if `mirrored`, then rotated."""
    images = images[:, :, ::-1] if mirrored else images
    return np.rot90(images, quarter_turns, axes=(1, 2))


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Returns a grey thumbnail.

    Args:
      image: uint8 [H, W, 3].

    Returns:
      float32 [THUMBNAIL, THUMBNAIL], grey values 0..255.
    """
    # Float: rounding the means to grey levels would change the correlation of plain images by a few
    # thousandths.
    grey = Image.fromarray(image).convert("L").convert("F")
    # Means over boxes; unlike the usual filters, they commute with rotations exactly.
    return np.array(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def standardize(thumbnails: np.ndarray) -> np.ndarray:
    """Returns vectors whose dot products are correlations.

    Args:
      thumbnails: float [N, S, S].

    Returns:
      float32 [N, S * S], each row with mean 0 and norm 1; a flat image gives a row of zeros.
    """
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > _FLAT, rows / np.maximum(norms, _FLAT), 0).astype(np.float32)


def similar_pairs(
    thumbnails: np.ndarray, threshold: float, ways: Sequence[tuple[int, bool]] = TURNS
) -> Iterator[tuple[int, int]]:
    """Yields the pairs that correlate above the threshold under one of the symmetries.

    Args:
      thumbnails: float [N, S, S].
      threshold: a correlation, in [-1, 1].
      ways: (quarter turns, mirrored); the inverse of each must be included.

    Yields:
      Indices `(i, j)` with i < j; a pair can come more than once.
    """
    for _, start, above in _blocks(thumbnails, threshold, ways):
        for i, j in np.argwhere(above):
            yield start + int(min(i, j)), start + int(max(i, j))


class Twins(NamedTuple):
    """The near duplicates of images, without a list of all pairs.

    Attributes:
      among: bool [N, P], whether image i has one in part p.
      share: largest fraction of all pairs that are near duplicates under one symmetry.
      examples: some pairs, at most one for each image.
    """

    among: np.ndarray
    share: float
    examples: list[tuple[int, int]]


def twins(thumbnails: np.ndarray, threshold: float, part: np.ndarray, parts: int) -> Twins:
    """Near duplicates by part, rotations and flips included.

    Args:
      thumbnails: float [N, S, S].
      threshold: a correlation, in [-1, 1].
      part: the part of each image, int [N], 0 to `parts` - 1.
      parts: their number.
    """
    count = len(thumbnails)
    among = np.zeros((count, parts), bool)
    examples: dict[int, int] = {}
    near: Counter[tuple[int, bool]] = Counter()
    for way, start, above in _blocks(thumbnails, threshold, TURNS_AND_FLIPS):
        stop = start + len(above)
        square = above[:, : len(above)]  # holds each of its pairs twice
        near[way] += int(above.sum()) - int(square.sum()) // 2
        for p in range(parts):
            among[start:stop, p] |= above[:, part[start:] == p].any(1)
            among[start:, p] |= above[part[start:stop] == p].any(0)
        for row in np.flatnonzero(above.any(1)):
            examples.setdefault(start + int(row), start + int(above[row].argmax()))
    pairs = max(count * (count - 1) / 2, 1)
    chosen = sorted({(min(pair), max(pair)) for pair in examples.items()})
    return Twins(among, max(near.values(), default=0) / pairs, chosen)


def _blocks(
    thumbnails: np.ndarray, threshold: float, ways: Sequence[tuple[int, bool]]
) -> Iterator[tuple[tuple[int, bool], int, np.ndarray]]:
    """Yields (way, s, bool [B, N - s]): which images from s on are near images s to s + B."""
    upright = standardize(thumbnails)
    for way in ways:
        # Rotating one side is enough: corr(a, R b) = corr(R^-1 a, b).
        other = standardize(turned(thumbnails, *way))
        for start in range(0, len(upright), _BLOCK):
            # Columns before the block's first row would repeat earlier pairs.
            above = upright[start : start + _BLOCK] @ other[start:].T > threshold
            rows = np.arange(len(above))
            above[rows, rows] = False
            yield way, start, above


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Numbers the connected components, in the order of their first elements.

    Args:
      count: number of elements.
      pairs: indices of connected elements.

    Returns:
      The component of each element.

    Example:
      >>> connected(5, [(1, 3), (3, 4)])
      [0, 1, 2, 1, 1]
    """
    parent = list(range(count))

    def root(element: int) -> int:
        while parent[element] != element:
            parent[element] = parent[parent[element]]  # Halves the path for the next time.
            element = parent[element]
        return element

    for i, j in pairs:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(element), len(numbers)) for element in range(count)]
