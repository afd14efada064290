"""Large arrays in pieces, so that intermediate results take little memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PIECE = 2**18
"""Elements of a piece."""


def pieces(count: int) -> Iterator[slice]:
    """Slices of at most `PIECE` elements that cover `range(count)`, in order."""
    for start in range(0, count, PIECE):
        yield slice(start, start + PIECE)


def count_values(array: np.ndarray, size: int) -> np.ndarray:
    """The number of occurrences of each of 0..size - 1 in an array of integers, int64 [size]."""
    flat = array.reshape(-1)
    counts = np.zeros(size, np.int64)
    for part in pieces(flat.size):
        counts += np.bincount(flat[part], minlength=size)
    return counts
