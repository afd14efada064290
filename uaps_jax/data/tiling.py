"""Images of any size through a function of network inputs: resized, or in overlapping tiles."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from uaps_jax.data import prepare
from uaps_jax.data.input_settings import InputSettings
from uaps_jax.datasets.pieces import pieces

HELD_BYTES = 2**29
"""Of the images of one batch; what is larger is read again when its pixels are asked for."""

OfTiles = Callable[[np.ndarray, int], Sequence[np.ndarray]]
"""Network inputs `[b, h, w, C]`, at most a batch, and the number of the batch, to some outputs
`[b, h, w, ...]`."""


class Tiled(NamedTuple):
    """An image, and its network inputs.

    Attributes:
      name: of the image.
      size: height and width.
      corners: of its tiles, as `prepare.tile_corners` gives them.
      tiles: makes them one by one.
      pixels: gives uint8 `[H, W, 3]`, and reads them again where they are not held.
    """

    name: str
    size: tuple[int, int]
    corners: Sequence[tuple[int, int]]
    tiles: Iterator[np.ndarray]
    pixels: Callable[[], np.ndarray]


class Assembled(NamedTuple):
    """An image with its outputs.

    Attributes:
      image: the image.
      assemblers: of an output each, to which all tiles are added.
    """

    image: Tiled
    assemblers: Sequence[prepare.TileAssembler]

    def outputs(self) -> tuple[np.ndarray, ...]:
        """`[H, W, ...]` each."""
        return tuple(one.result() for one in self.assemblers)

    def blended(self) -> tuple[np.ndarray, ...]:
        """At `data.scale`; with `data.fit` "resize" at the size of the network's input."""
        return tuple(one.blended() for one in self.assemblers)


def tiled(name: str, read: Callable[[], np.ndarray], data: InputSettings, batch_size: int) -> Tiled:
    """The tiles of an image that `read` gives as uint8 `[H, W, 3]`."""
    pixels = read()
    size = pixels.shape[0], pixels.shape[1]
    corners = prepare.tile_corners(size, data)
    if data.fit == "resize" and pixels.nbytes > HELD_BYTES // batch_size:
        return Tiled(name, size, corners, iter([prepare.image(pixels, data)]), read)
    return Tiled(name, size, corners, _tiles(pixels, corners, data), lambda: pixels)


def assembled(
    images: Iterable[Tiled], of_tiles: OfTiles, data: InputSettings, batch_size: int
) -> Iterator[Assembled]:
    """Images with their outputs `[H, W, ...]`; no more of them are held than fill a batch.

    Args:
      images: of any size.
      of_tiles: the outputs of tiles.
      data: the settings that the tiles were made with.
      batch_size: tiles at once.
    """
    numbers = itertools.count()
    for chunk in _chunks(images, batch_size):
        by_tile = _by_tile([image.tiles for image in chunk], of_tiles, numbers, batch_size)
        while chunk:
            image = chunk.pop(0)
            yield _whole(image, by_tile, data)


def likeliest(probabilities: np.ndarray) -> np.ndarray:
    """Class ids, uint8 `[H, W]`, of probabilities `[H, W, C]`."""
    ids = np.empty(probabilities.shape[:2], np.uint8)
    pixels = probabilities.reshape(ids.size, -1)
    for part in pieces(ids.size):
        ids.reshape(-1)[part] = pixels[part].argmax(-1)
    return ids


def _tiles(
    pixels: np.ndarray, corners: Sequence[tuple[int, int]], data: InputSettings
) -> Iterator[np.ndarray]:
    seen = pixels if data.fit == "resize" else prepare.scaled(pixels, data)
    for corner in corners:
        yield prepare.tile(seen, corner, data)


def _chunks(images: Iterable[Tiled], size: int) -> Iterator[list[Tiled]]:
    """Images in lists of `size` tiles or more."""
    chunk: list[Tiled] = []
    for image in images:
        chunk.append(image)
        if sum(len(one.corners) for one in chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _by_tile(
    tiles: Iterable[Iterator[np.ndarray]],
    of_tiles: OfTiles,
    numbers: Iterator[int],
    size: int,
) -> Iterator[tuple[np.ndarray, ...]]:
    """The outputs of each tile of several images, batch by batch."""
    left = itertools.chain.from_iterable(tiles)
    while batch := list(itertools.islice(left, size)):
        yield from zip(*of_tiles(np.stack(batch), next(numbers)), strict=True)


def _whole(
    image: Tiled, by_tile: Iterator[tuple[np.ndarray, ...]], data: InputSettings
) -> Assembled:
    """The outputs of an image, of those of its tiles."""
    assemblers: list[prepare.TileAssembler] = []
    for corner in image.corners:
        outputs = next(by_tile)
        assemblers = assemblers or [prepare.TileAssembler(image.size, data) for _ in outputs]
        for assembler, output in zip(assemblers, outputs, strict=True):
            assembler.add(output, corner)
    return Assembled(image, assemblers)
