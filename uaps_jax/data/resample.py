"""Images and masks at other sizes: by nearest neighbour, or by means over areas."""

from __future__ import annotations

import fractions

import numpy as np
import scipy.sparse

HALF = 0.501
"""What is added before a value is rounded down: a mean of x.5 is rounded up whatever the order in
which it was summed, so that exported files agree."""


def nearest(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """`array` `[h, w, ...]` by nearest neighbour, as in OpenCV: source row floor(i * in / out)."""
    return _taken(array, height, width, "nearest")


def nearest_centres(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """As `nearest`, with the source row at the centre of the pixel, floor((i + 1/2) * in / out)."""
    return _taken(array, height, width, "area")


def sources(size: int, count: int, resampling: str) -> np.ndarray:
    """The rows of `size` that a mask of `count` rows is made of, int64 `[count]`, in order."""
    if resampling == "nearest":
        return np.arange(count) * size // count
    return (2 * np.arange(count) + 1) * size // (2 * count)


def _taken(array: np.ndarray, height: int, width: int, resampling: str) -> np.ndarray:
    rows = sources(array.shape[0], height, resampling)
    columns = sources(array.shape[1], width, resampling)
    return array[rows[:, None], columns[None]]


def area_means(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image, uint8 `[h, w, C]`, whose pixels are means over the areas that they cover.

    Values are rounded to the nearest whole number, halves up (`HALF`).
    """
    return weighted(
        pixels,
        area_weights(pixels.shape[0], height, 0, pixels.shape[0] / height),
        area_weights(pixels.shape[1], width, 0, pixels.shape[1] / width),
    )


def area_weights(size: int, count: int, start: float, step: float) -> scipy.sparse.csr_array:
    """The share of each source element in each of `count` intervals, float32 `[count, size]`.

    Interval i is [start + i * step, start + (i + 1) * step]; what is outside of 0 to `size` belongs
    to the first or the last element.
    """
    begin = start + step * np.arange(count)
    cells = np.floor(begin)[:, None] + np.arange(int(np.ceil(step)) + 1)
    end = (begin + step)[:, None]
    shares = np.minimum(end, cells + 1) - np.maximum(begin[:, None], cells)
    columns = cells.clip(0, size - 1).astype(np.int64)
    rows = np.broadcast_to(np.arange(count)[:, None], columns.shape)
    values = (shares.clip(0) / step).astype(np.float32)
    entries = (values.ravel(), (rows.ravel(), columns.ravel()))
    return scipy.sparse.csr_array(entries, shape=(count, size))


def weighted(
    pixels: np.ndarray, rows: scipy.sparse.csr_array, columns: scipy.sparse.csr_array
) -> np.ndarray:
    """rows @ pixels @ columns^T in each channel, rounded: uint8 `[h, w, C]` to `[h', w', C]`."""
    used = [np.unique(weights.indices) for weights in (rows, columns)]
    few = pixels[np.ix_(*used)].astype(np.float32)  # of a crop, a part of a large image
    height, width, depth = few.shape
    partly = (rows[:, used[0]] @ few.reshape(height, -1)).reshape(-1, width, depth)
    turned = partly.swapaxes(0, 1).reshape(width, -1)
    whole = (columns[:, used[1]] @ turned).reshape(columns.shape[0], rows.shape[0], depth)
    rounded: np.ndarray = np.floor(whole.swapaxes(0, 1) + HALF).astype(np.uint8)
    return rounded


def scaled_length(length: int, scale: float) -> int:
    """A height or width times a factor, rounded up."""
    factor = rational(scale)
    if factor == 1:
        return length
    return -(-length * factor.numerator // factor.denominator)


def rational(scale: float) -> fractions.Fraction:
    """A factor as a fraction of small whole numbers, so that every implementation agrees."""
    return fractions.Fraction(scale).limit_denominator(1000)
