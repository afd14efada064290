"""From an image of any size to the size and the channels that the network sees, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.labels import IGNORE

GREY = np.array([299, 587, 114], np.int32)  # thousandths of R, G, B (ITU-R BT.601)


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
    """RGB `[..., H, W, 3]` as the network's channels: itself, or grey values `[..., H, W, 1]`."""
    if data.channels == 1:  # in whole numbers, which every other reader can repeat
        return ((pixels.astype(np.int32) @ GREY + 500) // 1000)[..., None].astype(np.uint8)
    return pixels


def corners(size: tuple[int, int], data: DataConfig) -> Sequence[tuple[int, int]]:
    """Where the tiles begin that cover an image of a size: the row and column of each in it.

    "resize" takes one tile. With "pad", which leaves the scale alone, neighbours overlap by a
    quarter of their side or more; where an image is padded, they are negative.
    """
    if data.fit == "resize":
        return [(0, 0)]
    return [(y, x) for y in _starts(size[0], data.height) for x in _starts(size[1], data.width)]


def tile(pixels: np.ndarray, corner: tuple[int, int], data: DataConfig) -> np.ndarray:
    """One of the tiles of an image, uint8 `[height, width, channels]`, as the network sees it."""
    if data.fit == "resize":
        return image(pixels, data)
    size = pixels.shape[:2]
    rows = np.arange(corner[0], corner[0] + data.height).clip(0, size[0] - 1)
    columns = np.arange(corner[1], corner[1] + data.width).clip(0, size[1] - 1)
    return _oriented(channels(pixels[rows[:, None], columns[None]], data), data)


class Whole:
    """Assembles the outputs of the tiles of an image.

    Where tiles overlap, the mean weighted by a pyramid that is highest in the middle of each: no
    seam is left. The single tile of "resize" is resized back by nearest neighbour.

    Args:
      size: height and width of the image.
      data: the settings that its tiles were made with.
    """

    def __init__(self, size: tuple[int, int], data: DataConfig) -> None:
        self._size, self._data = size, data
        self._sum: np.ndarray | None = None
        self._total = np.zeros(size if data.fit == "pad" else (0, 0), np.float32)
        self._weight = np.outer(_tent(data.height), _tent(data.width)).astype(np.float32)

    def add(self, output: np.ndarray, corner: tuple[int, int]) -> None:
        """Adds the output of the tile at a corner, `[height, width, ...]`."""
        data = self._data
        piece = output.swapaxes(0, 1) if data.transpose else output
        if data.fit == "resize":
            self._sum = resize(piece, *self._size)
            return
        if self._sum is None:
            self._sum = np.zeros((*self._size, *piece.shape[2:]), np.float32)
        y, x = corner
        top, left = max(y, 0), max(x, 0)
        target = np.s_[top : y + data.height, left : x + data.width]
        rows, columns = self._total[target].shape
        part = np.s_[top - y : top - y + rows, left - x : left - x + columns]
        weight = self._weight[part]
        self._total[target] += weight
        self._sum[target] += _over(weight, piece) * piece[part]

    def result(self) -> np.ndarray:
        """The result `[H, W, ...]`; nothing can be added afterwards."""
        assert self._sum is not None
        if self._data.fit == "pad":
            self._sum /= _over(self._total, self._sum)
        return self._sum


def _over(weight: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A weight `[H, W]` that broadcasts over an array `[H, W, ...]`."""
    return weight.reshape(*weight.shape, *(1,) * (array.ndim - 2))


def _tent(size: int) -> np.ndarray:
    """Weights that fall from the middle to both ends, and stay positive."""
    position = np.arange(size)
    return np.minimum(position + 1, size - position) / size


def _oriented(array: np.ndarray, data: DataConfig) -> np.ndarray:
    return array.swapaxes(0, 1) if data.transpose else array


def _central(size: int, wanted: int) -> np.ndarray:
    """Indices of the central `wanted` of `size`; below 0 and from `size` on where it is padded."""
    return np.arange(wanted) + (size - wanted) // 2


def _starts(size: int, wanted: int) -> list[int]:
    """Where the tiles of one axis begin: evenly, neighbours sharing a quarter or more."""
    if size <= wanted:
        return [(size - wanted) // 2]
    count = -(-(size - wanted) // (wanted - wanted // 4)) + 1
    return [round(i * (size - wanted) / (count - 1)) for i in range(count)]
