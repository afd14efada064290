"""Images of any size through a network of a fixed one: resized, or cut into tiles and assembled.

As in training (`data.fit`), an image is resized, and the results are resized back by nearest
neighbour; or, unscaled, it is covered by tiles, whose outputs are blended where they overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.data import prepare
from uaps_jax.data.source import Pool
from uaps_jax.datasets.pieces import pieces
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.pools import Predictions
from uaps_jax.labels import IGNORE

HELD_BYTES = 2**29
"""Of the images of one batch; what is larger is read again when its pixels are asked for."""


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


class Output(NamedTuple):
    """The output for an image of `[H, W]` pixels.

    Attributes:
      image: the image.
      values: `[H, W]` or `[H, W, C]`, as `Predictions.values`.
      uncertainty: float32 `[H, W]`.
      score: of the image; with `data.fit` "resize" at the size of the network's input.
    """

    image: Tiled
    values: np.ndarray
    uncertainty: np.ndarray
    score: float


def tiled(name: str, read: Callable[[], np.ndarray], data: DataConfig, batch_size: int) -> Tiled:
    """The tiles of an image that `read` gives as uint8 `[H, W, 3]`."""
    pixels = read()
    size = pixels.shape[0], pixels.shape[1]
    corners = prepare.tile_corners(size, data)
    if data.fit == "resize" and pixels.nbytes > HELD_BYTES // batch_size:
        return Tiled(name, size, corners, iter([prepare.image(pixels, data)]), read)
    tiles = (prepare.tile(pixels, corner, data) for corner in corners)
    return Tiled(name, size, corners, tiles, lambda: pixels)


def outputs(
    images: Iterable[Tiled],
    predict: Callable[[Pool, int], Predictions],
    data: DataConfig,
    rule: ScoreRule,
    batch_size: int,
) -> Iterator[Output]:
    """The outputs of images, in their order; no more of them are held than fill a batch.

    Args:
      images: of any size.
      predict: the predictions of at most a batch of tiles, given with the number of the batch;
        where several tiles make an image, probabilities.
      data: the settings that the tiles were made with.
      rule: of the score of an image that is made of tiles; that of a resized image is predicted.
      batch_size: tiles at once.
    """
    numbers = itertools.count()
    for chunk in _chunks(images, batch_size):
        by_tile = _by_tile([image.tiles for image in chunk], predict, numbers, batch_size)
        while chunk:
            yield _assembled(chunk.pop(0), by_tile, data, rule)


def likeliest(probabilities: np.ndarray) -> np.ndarray:
    """Class ids, uint8 `[H, W]`, of probabilities `[H, W, C]`."""
    ids = np.empty(probabilities.shape[:2], np.uint8)
    pixels = probabilities.reshape(ids.size, -1)
    for part in pieces(ids.size):
        ids.reshape(-1)[part] = pixels[part].argmax(-1)
    return ids


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
    predict: Callable[[Pool, int], Predictions],
    numbers: Iterator[int],
    size: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Output, uncertainty and score of each tile of several images, batch by batch."""
    left = itertools.chain.from_iterable(tiles)
    while batch := list(itertools.islice(left, size)):
        images = np.stack(batch)
        pool = Pool(
            names=tuple(map(str, range(len(batch)))),
            images=images,
            masks=np.full(images.shape[:3], IGNORE, np.uint8),
        )
        predicted = predict(pool, next(numbers))
        scores = predicted.scores.tolist()
        yield from zip(predicted.values, predicted.uncertainty, scores, strict=True)


def _assembled(
    image: Tiled,
    by_tile: Iterator[tuple[np.ndarray, np.ndarray, float]],
    data: DataConfig,
    rule: ScoreRule,
) -> Output:
    """The output of an image, of those of its tiles."""
    whole, uncertainty = (
        prepare.TileAssembler(image.size, data),
        prepare.TileAssembler(image.size, data),
    )
    for corner in image.corners:
        values, tile_uncertainty, score = next(by_tile)
        whole.add(values, corner)
        uncertainty.add(tile_uncertainty, corner)
    result = whole.result()
    if data.fit == "pad":
        score = image_score.score(result, rule)
    return Output(image, result, uncertainty.result(), score)
