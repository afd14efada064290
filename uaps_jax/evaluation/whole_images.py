"""Confusion matrices of whole images that the network sees in tiles."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from uaps_jax.data import tiling
from uaps_jax.data.whole_images import WholeImages
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
    """

    name: str
    pixels: np.ndarray
    truth: np.ndarray
    mask: np.ndarray


def confusions(
    probabilities: Probabilities,
    variables: Tree,
    images: WholeImages,
    classes: int,
    batch_size: int,
) -> np.ndarray:
    """Per-image confusion matrices `[N, C, C]` (truth, prediction) at the images' own size.

    Args:
      probabilities: jitted; it sees batches of `batch_size`.
      variables: its first argument.
      images: of any sizes.
      classes: C.
      batch_size: tiles at once.
    """
    predictions = predicted(probabilities, variables, images, images.names, batch_size)
    return np.stack([confusion(one.truth, one.mask, classes) for one in predictions])


def predicted(
    probabilities: Probabilities,
    variables: Tree,
    images: WholeImages,
    names: Sequence[str],
    batch_size: int,
) -> Iterator[Predicted]:
    """The predictions of some images, in their order."""
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
    for image, (values,) in tiling.assembled(tiled, of_tiles, images.data, batch_size):
        mask = tiling.likeliest(values)
        yield Predicted(image.name, image.pixels(), truths.pop(image.name), mask)


def confusion(labels: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix int64 `[C, C]` of an image; pixels of label 255 are left out."""
    known = labels != IGNORE
    pairs = labels[known].astype(np.int64) * classes + prediction[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
