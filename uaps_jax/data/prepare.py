"""From images and masks of any size to the network's input, and from its output back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.data import resample
from uaps_jax.data.input_settings import InputSettings
from uaps_jax.labels import IGNORE

GREY = np.array([299, 587, 114], np.int32)  # thousandths of R, G, B (ITU-R BT.601)


def image(pixels: np.ndarray, data: InputSettings) -> np.ndarray:
    """The network's input, uint8 `[height, width, channels]`, from an image, uint8 `[H, W, 3]`.

    "resize": at the size of the network. Otherwise: at `data.scale`; a larger image is cropped to
    its centre, a smaller one is padded with its edge values.
    """
    if data.fit == "resize":
        pixels = _resized(pixels, (data.height, data.width), data)
    else:
        pixels = scaled(pixels, data)
        rows, columns = (
            _central(pixels.shape[0], data.height),
            _central(pixels.shape[1], data.width),
        )
        pixels = picked(pixels, rows, columns)
    return oriented(channels(pixels, data), data)


def mask(ids: np.ndarray, data: InputSettings, padding: int = IGNORE) -> np.ndarray:
    """A mask `[H, W]`, brought to size as its image; what is padded has no label (255)."""
    if data.fit == "resize":
        return oriented(_resized_mask(ids, (data.height, data.width), data), data)
    ids = scaled_mask(ids, data)
    rows, columns = _central(ids.shape[0], data.height), _central(ids.shape[1], data.width)
    return oriented(picked_mask(ids, rows, columns, padding), data)


def weight(values: np.ndarray, data: InputSettings) -> np.ndarray:
    """Weights of pixels, uint8 `[H, W]`, brought to size as their image; 0 in padding."""
    return mask(values, data, padding=0)


def restored(ids: np.ndarray, size: tuple[int, int], data: InputSettings) -> np.ndarray:
    """The mask, uint8, of an image of `size` whose network input has the mask `ids`.

    `mask(restored(ids, size, data), data)` is `ids`, except where "resize" enlarges an image: then
    rows or columns of `ids` are left out. Pixels that "pad" crops have no label (255).

    Raises:
      ValueError: `data.fit` is "crop", or images are scaled by `data.scale`.
    """
    if data.fit == "crop" or data.scale != 1:
        raise ValueError(f"a mask cannot be restored: fit = {data.fit!r}, scale = {data.scale}")
    ids = oriented(ids, data)
    if data.fit == "pad":
        rows, columns = _central(size[0], data.height), _central(size[1], data.width)
        known = [(i >= 0) & (i < n) for i, n in zip((rows, columns), size, strict=True)]
        whole = np.full(size, IGNORE, np.uint8)
        whole[np.ix_(rows[known[0]], columns[known[1]])] = ids[np.ix_(*known)]
        return whole
    if data.resampling == "area":
        return resample.nearest_centres(ids, *size)
    rows, columns = (
        _last_taken(n, resample.sources(n, m, data.resampling))
        for n, m in zip(size, ids.shape, strict=True)
    )
    return ids[rows[:, None], columns[None]]


def picked(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Rows and columns of an image `[H, W, C]`, in order; outside of it, its edges continue.

    The result may be a view: a slice takes a tenth of the time of an index.
    """
    sides = list(zip((rows, columns), pixels.shape[:2], strict=True))
    if all(i[0] >= 0 and i[-1] < n and i[-1] - i[0] == len(i) - 1 for i, n in sides):
        return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = (indices.clip(0, size - 1) for indices, size in sides)
    return pixels[np.ix_(*inside)]


def picked_mask(
    ids: np.ndarray, rows: np.ndarray, columns: np.ndarray, padding: int = IGNORE
) -> np.ndarray:
    """Rows and columns of a mask `[H, W]`; those outside of it have no label (255)."""
    known = [
        (indices >= 0) & (indices < size)
        for indices, size in zip((rows, columns), ids.shape, strict=True)
    ]
    picked = np.full((len(rows), len(columns)), padding, ids.dtype)
    picked[np.ix_(*known)] = ids[np.ix_(rows[known[0]], columns[known[1]])]
    return picked


def scaled_size(size: tuple[int, int], data: InputSettings) -> tuple[int, int]:
    """Height and width of an image at `data.scale`."""
    return resample.scaled_length(size[0], data.scale), resample.scaled_length(size[1], data.scale)


def scaled(pixels: np.ndarray, data: InputSettings) -> np.ndarray:
    """An image, uint8 `[H, W, C]`, at `data.scale`."""
    return _resized(pixels, scaled_size(pixels.shape[:2], data), data)


def scaled_mask(ids: np.ndarray, data: InputSettings) -> np.ndarray:
    """A mask `[H, W]` at `data.scale`."""
    return _resized_mask(ids, scaled_size((ids.shape[0], ids.shape[1]), data), data)


def channels(pixels: np.ndarray, data: InputSettings) -> np.ndarray:
    """RGB `[..., H, W, 3]`, or its grey values `[..., H, W, 1]` if `data.channels` is 1."""
    if data.channels == 1:  # integer arithmetic, so that every implementation agrees
        return ((pixels.astype(np.int32) @ GREY + 500) // 1000)[..., None].astype(np.uint8)
    return pixels


def tile_corners(size: tuple[int, int], data: InputSettings) -> Sequence[tuple[int, int]]:
    """Row and column of the top left corner of each tile that is needed to cover an image.

    With "resize" there is one tile. Otherwise they cover the image at `data.scale`; neighbouring
    tiles overlap by at least a quarter of their side; corners are negative where it is padded.
    """
    if data.fit == "resize":
        return [(0, 0)]
    size = scaled_size(size, data)
    return [(y, x) for y in _starts(size[0], data.height) for x in _starts(size[1], data.width)]


def tile(pixels: np.ndarray, corner: tuple[int, int], data: InputSettings) -> np.ndarray:
    """The network's input for one tile of an image, uint8 `[height, width, channels]`.

    Args:
      pixels: the image, uint8 `[H, W, 3]`, at `data.scale`.
      corner: of the tile, as `tile_corners` gives it.
      data: size and fit.
    """
    if data.fit == "resize":
        return image(pixels, data)
    rows = np.arange(corner[0], corner[0] + data.height)
    columns = np.arange(corner[1], corner[1] + data.width)
    return oriented(channels(picked(pixels, rows, columns), data), data)


class TileAssembler:
    """Assembles the outputs for the tiles of an image to an output for the image.

    Where tiles overlap, it is their weighted mean; the weights decrease from the middle of a tile
    to its edges, so that no seams are visible. What has another size than the image, the single
    tile of "resize" or an image at `data.scale`, is brought to its size by nearest neighbour.

    Args:
      size: height and width of the image.
      data: the settings of the tiles.
    """

    def __init__(self, size: tuple[int, int], data: InputSettings) -> None:
        self._size, self._data = size, data
        self._seen = (0, 0) if data.fit == "resize" else scaled_size(size, data)
        self._sum: np.ndarray | None = None
        self._is_blended = False
        self._total = np.zeros(self._seen, np.float32)
        self._weight = np.outer(_tent(data.height), _tent(data.width)).astype(np.float32)

    def add(self, output: np.ndarray, corner: tuple[int, int]) -> None:
        """Adds the output `[height, width, ...]` for the tile at a corner."""
        data = self._data
        piece = output.swapaxes(0, 1) if data.transpose else output
        if data.fit == "resize":
            self._sum = piece
            return
        if self._sum is None:
            self._sum = np.zeros((*self._seen, *piece.shape[2:]), np.float32)
        y, x = corner
        top, left = max(y, 0), max(x, 0)
        target = np.s_[top : y + data.height, left : x + data.width]
        rows, columns = self._total[target].shape
        part = np.s_[top - y : top - y + rows, left - x : left - x + columns]
        weight = self._weight[part]
        self._total[target] += weight
        self._sum[target] += _expanded(weight, piece) * piece[part]

    def blended(self) -> np.ndarray:
        """The result at `data.scale`; with "resize", the one tile. Nothing is added after it."""
        assert self._sum is not None
        if self._data.fit != "resize" and not self._is_blended:
            self._sum /= _expanded(self._total, self._sum)
            self._is_blended = True
        return self._sum

    def result(self) -> np.ndarray:
        """The result `[H, W, ...]`; nothing is added after it."""
        blended = self.blended()
        is_whole = blended.shape[:2] == self._size
        return blended if is_whole else resample.nearest(blended, *self._size)


def _last_taken(count: int, sources: np.ndarray) -> np.ndarray:
    """For each of `count` rows, the last that was taken from it or from one before it."""
    return np.maximum(np.searchsorted(sources, np.arange(count), side="right") - 1, 0)


def _expanded(weight: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A weight `[H, W]` with trailing axes, to broadcast with an array `[H, W, ...]`."""
    return weight.reshape(*weight.shape, *(1,) * (array.ndim - 2))


def _tent(size: int) -> np.ndarray:
    """Positive weights that decrease linearly from the middle to both ends, `[size]`."""
    position = np.arange(size)
    return np.minimum(position + 1, size - position) / size


def oriented(array: np.ndarray, data: InputSettings) -> np.ndarray:
    """`[height, width, ...]`, transposed if `data.transpose` says so."""
    return array.swapaxes(0, 1) if data.transpose else array


def _resized(pixels: np.ndarray, size: tuple[int, int], data: InputSettings) -> np.ndarray:
    if pixels.shape[:2] == size:
        return pixels
    by = resample.nearest if data.resampling == "nearest" else resample.area_means
    return by(pixels, *size)


def _resized_mask(ids: np.ndarray, size: tuple[int, int], data: InputSettings) -> np.ndarray:
    if ids.shape == size:
        return ids
    by = resample.nearest if data.resampling == "nearest" else resample.nearest_centres
    return by(ids, *size)


def _central(size: int, wanted: int) -> np.ndarray:
    """`wanted` central indices of `size` elements; outside of 0 to `size` - 1 they are padding."""
    return np.arange(wanted) + (size - wanted) // 2


def _starts(size: int, wanted: int) -> list[int]:
    """First index of each tile along one axis, evenly spaced, with an overlap of at least 1/4."""
    if size <= wanted:
        return [(size - wanted) // 2]
    count = -(-(size - wanted) // (wanted - wanted // 4)) + 1
    return [round(i * (size - wanted) / (count - 1)) for i in range(count)]
