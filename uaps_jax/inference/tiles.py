"""Images of any size through a network of a fixed one: resized, or cut into tiles and assembled.

As in training (`data.fit`), an image is resized, and the results are resized back by nearest
neighbour; or it is covered by tiles, whose outputs are blended where they overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.data import tiling
from uaps_jax.data.source import Pool
from uaps_jax.data.tiling import Tiled
from uaps_jax.inference.pools import Predictions
from uaps_jax.labels import IGNORE


class Output(NamedTuple):
    """The output for an image of `[H, W]` pixels.

    Attributes:
      image: the image.
      values: `[H, W]` or `[H, W, C]`, as `Predictions.values`.
      uncertainty: float32 `[H, W]`.
    """

    image: Tiled
    values: np.ndarray
    uncertainty: np.ndarray


def outputs(
    images: Iterable[Tiled],
    predict: Callable[[Pool, int], Predictions],
    data: DataConfig,
    batch_size: int,
) -> Iterator[Output]:
    """The outputs of images, in their order; no more of them are held than fill a batch.

    Args:
      images: of any size.
      predict: the predictions of at most a batch of tiles, given with the number of the batch.
      data: the settings that the tiles were made with.
      batch_size: tiles at once.
    """

    def of_tiles(tiles: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        pool = Pool(
            names=tuple(map(str, range(len(tiles)))),
            images=tiles,
            masks=np.full(tiles.shape[:3], IGNORE, np.uint8),
        )
        predicted = predict(pool, number)
        return predicted.values, predicted.uncertainty

    for image, (values, uncertainty) in tiling.assembled(images, of_tiles, data, batch_size):
        yield Output(image, values, uncertainty)
