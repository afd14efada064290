"""Scores of a predictor on a pool of images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import metrics
from uaps_jax.trees import Tree

Predictor = Callable[[Tree, jax.Array], jax.Array]
ConfusionFunction = Callable[[Tree, jax.Array | np.ndarray, jax.Array | np.ndarray], jax.Array]


def confusion(labels: jax.Array, prediction: jax.Array, classes: int) -> jax.Array:
    """Per-image confusion matrices `[B, C, C]` (truth, prediction), int32.

    Args:
      labels: class ids `[B, H, W]`; pixels of label 255 are left out.
      prediction: class ids `[B, H, W]`.
      classes: C.
    """
    # Counts stay below 2^24, so sums of products of 0 and 1 are exact in float32.
    truth = jax.nn.one_hot(labels, classes)  # all zero for 255
    predicted = jax.nn.one_hot(prediction, classes)
    return jnp.einsum("bhwt,bhwp->btp", truth, predicted).astype(jnp.int32)


def make_confusion_function(
    predictor: Predictor, classes: int, *, deterministic: bool = False
) -> ConfusionFunction:
    """The jitted function from (variables, images, masks) to confusion matrices."""

    @functools.partial(compiler.jit_optimized, deterministic=deterministic)
    def confusion_function(variables: Tree, images: jax.Array, masks: jax.Array) -> jax.Array:
        prediction = predictor(variables, images).argmax(-1)
        return confusion(masks, prediction, classes)

    return confusion_function


def evaluate(
    confusion_function: ConfusionFunction,
    variables: Tree,
    pool: Pool,
    class_names: Sequence[str],
    batch_size: int,
) -> dict[str, float]:
    """All metrics of `metrics.scores` over a pool."""
    confusions = [
        np.asarray(confusion_function(variables, images, masks))[:count]
        for images, masks, count in batches(pool, batch_size)
    ]
    return metrics.scores(np.concatenate(confusions), class_names)


def batches(pool: Pool, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Images, masks and the number of valid rows; the last batch is padded with image 0."""
    for start in range(0, len(pool.names), size):
        rows = np.arange(start, start + size)
        count = min(size, len(pool.names) - start)
        rows[count:] = 0
        yield pool.images[rows], pool.masks[rows], count
