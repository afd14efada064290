"""Images of any size through a network of a fixed one: resized, or cut into tiles and assembled.

As in training (`data.fit`), an image is resized, and the results are resized back by nearest
neighbour; or it is covered by tiles, whose outputs are blended where they overlap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from uaps_jax.data import tiling
from uaps_jax.data.input_settings import InputSettings
from uaps_jax.data.source import Pool
from uaps_jax.data.tiling import Tiled
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.pools import Predictions
from uaps_jax.labels import IGNORE


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


def outputs(
    images: Iterable[Tiled],
    predict: Callable[[Pool, int], Predictions],
    data: InputSettings,
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
    scores: deque[float] = deque()

    def of_tiles(tiles: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        pool = Pool(
            names=tuple(map(str, range(len(tiles)))),
            images=tiles,
            masks=np.full(tiles.shape[:3], IGNORE, np.uint8),
        )
        predicted = predict(pool, number)
        scores.extend(predicted.scores.tolist())
        return predicted.values, predicted.uncertainty

    for whole in tiling.assembled(images, of_tiles, data, batch_size):
        values, uncertainty = whole.outputs()
        of_its_tiles = [scores.popleft() for _ in whole.image.corners]
        is_one = data.fit == "resize"
        score = of_its_tiles[0] if is_one else image_score.score(whole.blended()[0], rule)
        yield Output(whole.image, values, uncertainty, score)
