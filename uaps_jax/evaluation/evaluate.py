"""Scores of a predictor on a pool of images."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.data.source import Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import metrics, whole_images
from uaps_jax.trees import Tree

Predictor = Callable[[Tree, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class ConfusionFunction:
    """From variables and images to confusion matrices.

    Attributes:
      of_batch: jitted: variables, network inputs and masks to matrices `[B, C, C]`.
      probabilities: jitted: variables and network inputs to probabilities `[B, H, W, C]`.
      classes: C.
    """

    of_batch: Callable[[Tree, jax.Array | np.ndarray, jax.Array | np.ndarray], jax.Array]
    probabilities: whole_images.Probabilities
    classes: int


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
    """The function of a predictor; each of its parts is compiled when it is used first."""
    jit = functools.partial(compiler.jit_optimized, deterministic=deterministic)

    def of_batch(variables: Tree, images: jax.Array, masks: jax.Array) -> jax.Array:
        prediction = predictor(variables, images).argmax(-1)
        return confusion(masks, prediction, classes)

    return ConfusionFunction(jit(of_batch), jit(predictor), classes)


def evaluate(
    confusion_function: ConfusionFunction,
    variables: Tree,
    pool: Pool | WholeImages,
    class_names: Sequence[str],
    batch_size: int,
) -> dict[str, float]:
    """All metrics of `metrics.scores` over a pool; whole images are scored at their own size."""
    if isinstance(pool, WholeImages):
        whole = whole_images.confusions(
            confusion_function.probabilities,
            variables,
            pool,
            confusion_function.classes,
            batch_size,
        )
        return metrics.scores(whole, class_names)
    confusions = [
        np.asarray(confusion_function.of_batch(variables, images, masks))[:count]
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
