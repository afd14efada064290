"""From an image of any size to the size and the channels that the network sees, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.labels import IGNORE

GREY = np.array([0.299, 0.587, 0.114])  # weights of R, G, B (ITU-R BT.601)


def network_size(data: DataConfig) -> tuple[int, int]:
    """Height and width that the network sees."""
    return (data.width, data.height) if data.transpose else (data.height, data.width)


def image(pixels: np.ndarray, data: DataConfig) -> np.ndarray:
    """An image, uint8 `[H, W, 3]` of any size, as the network sees it.

    `data.fit` "resize": nearest neighbour as OpenCV takes it, source row floor(i * in / out), for
    images and masks alike, as the released loaders do. "pad": nothing is scaled; what is too large
    is cropped at its centre, what is too small is continued at its edges.
    """
    if data.fit == "pad":
        size = pixels.shape[:2]
        rows, columns = _central(size[0], data.height), _central(size[1], data.width)
        pixels = pixels[rows.clip(0, size[0] - 1)[:, None], columns.clip(0, size[1] - 1)[None]]
    else:
        pixels = resize(pixels, data.height, data.width)
    return _oriented(channels(pixels, data), data)


def mask(ids: np.ndarray, data: DataConfig) -> np.ndarray:
    """A mask, uint8 `[H, W]`, likewise; what "pad" adds has no label (255)."""
    if data.fit == "pad":
        rows, columns = _central(ids.shape[0], data.height), _central(ids.shape[1], data.width)
        known = [
            (indices >= 0) & (indices < size)
            for indices, size in zip((rows, columns), ids.shape, strict=True)
        ]
        padded = np.full((data.height, data.width), IGNORE, np.uint8)
        padded[np.ix_(*known)] = ids[np.ix_(rows[known[0]], columns[known[1]])]
        return _oriented(padded, data)
    return _oriented(resize(ids, data.height, data.width), data)


def resize(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """`array` `[h, w, ...]` at another size, nearest neighbour: source row floor(i * in / out)."""
    rows = np.arange(height) * array.shape[0] // height
    columns = np.arange(width) * array.shape[1] // width
    return array[rows[:, None], columns[None]]


def channels(pixels: np.ndarray, data: DataConfig) -> np.ndarray:
    """RGB as the network's channels: itself, or the grey values `[H, W, 1]`."""
    if data.channels == 1:
        return np.round(pixels @ GREY)[..., None].astype(np.uint8)
    return pixels


def tiles(pixels: np.ndarray, data: DataConfig) -> tuple[np.ndarray, Sequence[tuple[int, int]]]:
    """A whole image as network inputs.

    Returns:
      uint8 `[N, height, width, channels]` and, where "pad" leaves the scale alone, the row and
      column in the image of each tile's corner, negative where it is padded. They cover the image;
      the last of a row or column overlaps the one before. "resize" gives one tile.
    """
    if data.fit == "resize":
        return image(pixels, data)[None], [(0, 0)]
    size = pixels.shape[:2]
    corners = [(y, x) for y in _starts(size[0], data.height) for x in _starts(size[1], data.width)]
    pieces = []
    for y, x in corners:
        rows = np.arange(y, y + data.height).clip(0, size[0] - 1)
        columns = np.arange(x, x + data.width).clip(0, size[1] - 1)
        pieces.append(_oriented(channels(pixels[rows[:, None], columns[None]], data), data))
    return np.stack(pieces), corners


def untiled(
    found: np.ndarray, corners: Sequence[tuple[int, int]], size: tuple[int, int], data: DataConfig
) -> np.ndarray:
    """What was found on the tiles of an image, `[N, height, width]`, at its size `[H, W]`."""
    upright = found.swapaxes(1, 2) if data.transpose else found
    if data.fit == "resize":
        return resize(upright[0], *size)
    whole = np.empty(size, found.dtype)
    for piece, (y, x) in zip(upright, corners, strict=True):
        top, left = max(y, 0), max(x, 0)
        target = whole[top : y + data.height, left : x + data.width]
        target[:] = piece[top - y :, left - x :][: target.shape[0], : target.shape[1]]
    return whole


def _oriented(array: np.ndarray, data: DataConfig) -> np.ndarray:
    return array.swapaxes(0, 1) if data.transpose else array


def _central(size: int, wanted: int) -> np.ndarray:
    """Indices of the central `wanted` of `size`; below 0 and from `size` on where it is padded."""
    return np.arange(wanted) + (size - wanted) // 2


def _starts(size: int, wanted: int) -> list[int]:
    if size <= wanted:
        return [(size - wanted) // 2]
    return [*range(0, size - wanted, wanted), size - wanted]
