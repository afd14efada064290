"""From images and masks of any size to the network's input, and from its output back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.labels import IGNORE

GREY = np.array([299, 587, 114], np.int32)  # thousandths of R, G, B (ITU-R BT.601)


def image(pixels: np.ndarray, data: DataConfig) -> np.ndarray:
    """The network's input, uint8 `[height, width, channels]`, from an image, uint8 `[H, W, 3]`.

    `data.fit` "resize": nearest neighbour as in OpenCV, source row floor(i * in / out), for images
    and masks, as in the released loaders. "pad": no scaling; a larger image is cropped to its
    centre, a smaller one is padded with its edge values.
    """
    if data.fit == "pad":
        size = pixels.shape[:2]
        rows, columns = _central(size[0], data.height), _central(size[1], data.width)
        pixels = pixels[rows.clip(0, size[0] - 1)[:, None], columns.clip(0, size[1] - 1)[None]]
    else:
        pixels = resize(pixels, data.height, data.width)
    return _oriented(channels(pixels, data), data)


def mask(ids: np.ndarray, data: DataConfig) -> np.ndarray:
    """A mask, uint8 `[H, W]`, resized or padded like its image; padding has no label (255)."""
    return _per_pixel(ids, data, padding=IGNORE)


def weight(values: np.ndarray, data: DataConfig) -> np.ndarray:
    """Weights of pixels, uint8 `[H, W]`, resized or padded like their image; 0 in padding."""
    return _per_pixel(values, data, padding=0)


def restored(ids: np.ndarray, size: tuple[int, int], data: DataConfig) -> np.ndarray:
    """The mask, uint8, of an image of `size` whose network input has the mask `ids`.

    `mask(restored(ids, size, data), data)` is `ids`, except where "resize" enlarges an image: then
    rows or columns of `ids` are left out. Pixels that "pad" crops have no label (255).
    """
    ids = _oriented(ids, data)
    if data.fit == "pad":
        rows, columns = _central(size[0], data.height), _central(size[1], data.width)
        known = [(i >= 0) & (i < n) for i, n in zip((rows, columns), size, strict=True)]
        whole = np.full(size, IGNORE, np.uint8)
        whole[np.ix_(rows[known[0]], columns[known[1]])] = ids[np.ix_(*known)]
        return whole
    # The last row of the input that `resize` took from row i of the image, or from one before it.
    rows, columns = (
        -(-(np.arange(n) + 1) * m // n) - 1 for n, m in zip(size, ids.shape, strict=True)
    )
    return ids[rows[:, None], columns[None]]


def resize(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """`array` `[h, w, ...]` resized by nearest neighbour: source row floor(i * in / out)."""
    rows = np.arange(height) * array.shape[0] // height
    columns = np.arange(width) * array.shape[1] // width
    return array[rows[:, None], columns[None]]


def channels(pixels: np.ndarray, data: DataConfig) -> np.ndarray:
    """RGB `[..., H, W, 3]`, or its grey values `[..., H, W, 1]` if `data.channels` is 1."""
    if data.channels == 1:  # integer arithmetic, so that every implementation agrees
        return ((pixels.astype(np.int32) @ GREY + 500) // 1000)[..., None].astype(np.uint8)
    return pixels


def tile_corners(size: tuple[int, int], data: DataConfig) -> Sequence[tuple[int, int]]:
    """Row and column of the top left corner of each tile that is needed to cover an image.

    With "resize" there is one tile. With "pad", neighbouring tiles overlap by at least a quarter of
    their side; corners are negative where the image is padded.
    """
    if data.fit == "resize":
        return [(0, 0)]
    return [(y, x) for y in _starts(size[0], data.height) for x in _starts(size[1], data.width)]


def tile(pixels: np.ndarray, corner: tuple[int, int], data: DataConfig) -> np.ndarray:
    """The network's input for one tile of an image, uint8 `[height, width, channels]`."""
    if data.fit == "resize":
        return image(pixels, data)
    size = pixels.shape[:2]
    rows = np.arange(corner[0], corner[0] + data.height).clip(0, size[0] - 1)
    columns = np.arange(corner[1], corner[1] + data.width).clip(0, size[1] - 1)
    return _oriented(channels(pixels[rows[:, None], columns[None]], data), data)


class TileAssembler:
    """Assembles the outputs for the tiles of an image to an output for the image.

    Where tiles overlap, it is their weighted mean; the weights decrease from the middle of a tile
    to its edges, so that no seams are visible. The single tile of "resize" is resized to the size
    of the image by nearest neighbour.

    Args:
      size: height and width of the image.
      data: the settings of the tiles.
    """

    def __init__(self, size: tuple[int, int], data: DataConfig) -> None:
        self._size, self._data = size, data
        self._sum: np.ndarray | None = None
        self._total = np.zeros(size if data.fit == "pad" else (0, 0), np.float32)
        self._weight = np.outer(_tent(data.height), _tent(data.width)).astype(np.float32)

    def add(self, output: np.ndarray, corner: tuple[int, int]) -> None:
        """Adds the output `[height, width, ...]` for the tile at a corner."""
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
        self._sum[target] += _expanded(weight, piece) * piece[part]

    def result(self) -> np.ndarray:
        """The result `[H, W, ...]`; nothing can be added afterwards."""
        assert self._sum is not None
        if self._data.fit == "pad":
            self._sum /= _expanded(self._total, self._sum)
        return self._sum


def _per_pixel(values: np.ndarray, data: DataConfig, *, padding: int) -> np.ndarray:
    if data.fit == "pad":
        sizes = values.shape
        rows, columns = _central(sizes[0], data.height), _central(sizes[1], data.width)
        known = [
            (indices >= 0) & (indices < size)
            for indices, size in zip((rows, columns), sizes, strict=True)
        ]
        padded = np.full((data.height, data.width), padding, np.uint8)
        padded[np.ix_(*known)] = values[np.ix_(rows[known[0]], columns[known[1]])]
        return _oriented(padded, data)
    return _oriented(resize(values, data.height, data.width), data)


def _expanded(weight: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A weight `[H, W]` with trailing axes, to broadcast with an array `[H, W, ...]`."""
    return weight.reshape(*weight.shape, *(1,) * (array.ndim - 2))


def _tent(size: int) -> np.ndarray:
    """Positive weights that decrease linearly from the middle to both ends, `[size]`."""
    position = np.arange(size)
    return np.minimum(position + 1, size - position) / size


def _oriented(array: np.ndarray, data: DataConfig) -> np.ndarray:
    return array.swapaxes(0, 1) if data.transpose else array


def _central(size: int, wanted: int) -> np.ndarray:
    """`wanted` central indices of `size` elements; outside of 0 to `size` - 1 they are padding."""
    return np.arange(wanted) + (size - wanted) // 2


def _starts(size: int, wanted: int) -> list[int]:
    """First index of each tile along one axis, evenly spaced, with an overlap of at least 1/4."""
    if size <= wanted:
        return [(size - wanted) // 2]
    count = -(-(size - wanted) // (wanted - wanted // 4)) + 1
    return [round(i * (size - wanted) / (count - 1)) for i in range(count)]
