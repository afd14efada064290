"""Confusion matrices and scores of whole images that the network sees in tiles."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from uaps_jax.data import resample, tiling
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.labels import IGNORE
from uaps_jax.trees import Tree

Probabilities = Callable[[Tree, jax.Array | np.ndarray], jax.Array]
"""Variables and network inputs `[b, h, w, channels]` to probabilities `[b, h, w, C]`."""


class Predicted(NamedTuple):
    """An image and its prediction.

    Attributes:
      name: of the image.
      pixels: uint8 RGB `[H, W, 3]`.
      truth: class ids, uint8 `[H, W]`, 255 where there is no label.
      mask: predicted class ids, uint8 `[H, W]`.
      seen: probabilities at `data.scale`, float32 `[h, w, C]`.
    """

    name: str
    pixels: np.ndarray
    truth: np.ndarray
    mask: np.ndarray
    seen: np.ndarray


def predicted(
    probabilities: Probabilities,
    variables: Tree,
    images: WholeImages,
    names: Sequence[str],
    batch_size: int,
) -> Iterator[Predicted]:
    """The predictions of some images, in their order.

    Args:
      probabilities: jitted; it sees batches of `batch_size`.
      variables: its first argument.
      images: of any sizes.
      names: of those that are predicted.
      batch_size: tiles at once.
    """
    truths: dict[str, np.ndarray] = {}

    def read(name: str) -> np.ndarray:
        pixels, truths[name] = images.load(name)
        return pixels

    def of_tiles(tiles: np.ndarray, _: int) -> tuple[np.ndarray]:
        rows = np.arange(batch_size)
        rows[len(tiles) :] = 0  # one shape, so that nothing is compiled again
        return (np.asarray(probabilities(variables, tiles[rows]))[: len(tiles)],)

    tiled = (
        tiling.tiled(name, functools.partial(read, name), images.data, batch_size) for name in names
    )
    for whole in tiling.assembled(tiled, of_tiles, images.data, batch_size):
        (values,), (seen,) = whole.outputs(), whole.blended()
        image, mask = whole.image, tiling.likeliest(values)
        yield Predicted(image.name, image.pixels(), truths.pop(image.name), mask, seen)


def score(one: Predicted, rule: ScoreRule) -> float:
    """The score of an image, of the pixels that have a label."""
    known = resample.nearest(one.truth != IGNORE, *one.seen.shape[:2])
    return image_score.score(one.seen, rule, known)
