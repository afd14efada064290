"""Scores of a predictor on a pool of images."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import image_level, image_score, metrics
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.labels import IGNORE
from uaps_jax.trees import Tree

Predictor = Callable[[Tree, jax.Array], jax.Array]
MeasureFunction = Callable[
    [Tree, jax.Array | np.ndarray, jax.Array | np.ndarray], tuple[jax.Array, jax.Array]
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What a predictor made of the images of a pool.

    Attributes:
      confusions: integer `[N, C, C]` (truth, prediction).
      image_scores: float32 `[N]`; pixels without a label do not count.
    """

    confusions: np.ndarray
    image_scores: np.ndarray


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


def make_measure_function(
    predictor: Predictor, classes: int, rule: ScoreRule, *, deterministic: bool = False
) -> MeasureFunction:
    """The jitted function from (variables, images, masks) to confusion matrices and image scores.

    Args:
      predictor: `(variables, images)` to probabilities.
      classes: their number.
      rule: of the image scores.
      deterministic: as in `compiler.jit_optimized`.
    """

    @functools.partial(compiler.jit_optimized, deterministic=deterministic)
    def measure_function(
        variables: Tree, images: jax.Array, masks: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        confusions = confusion(masks, probabilities.argmax(-1), classes)
        return confusions, image_score.scores(probabilities, rule, masks != IGNORE)

    return measure_function


def measure(
    measure_function: MeasureFunction, variables: Tree, pool: Pool, batch_size: int
) -> Measured:
    """Confusion matrices and scores of the images of a pool."""
    confusions, scores = [], []
    for images, masks, count in batches(pool, batch_size):
        found, score = measure_function(variables, images, masks)
        confusions.append(np.asarray(found)[:count])
        scores.append(np.asarray(score)[:count])
    return Measured(confusions=np.concatenate(confusions), image_scores=np.concatenate(scores))


def evaluate(
    measure_function: MeasureFunction,
    variables: Tree,
    pool: Pool,
    class_names: Sequence[str],
    batch_size: int,
) -> dict[str, float]:
    """All metrics of the pool."""
    return scores(measure(measure_function, variables, pool, batch_size), class_names)


def scores(measured: Measured, class_names: Sequence[str]) -> dict[str, float]:
    """The metrics of `metrics.scores` and of `image_level.separation`, and `dice_and_auroc`.

    `dice_and_auroc` is the mean of `image_dice`, for which only images with a defect count, and of
    `auroc`, for which those without one count as well; without these it is `image_dice`.
    """
    of_pixels = metrics.scores(measured.confusions, class_names)
    of_images = image_level.separation(
        measured.image_scores, image_level.truth(measured.confusions)
    )
    dice, auroc = of_pixels["image_dice"], of_images["auroc"]
    both = dice if math.isnan(auroc) else (dice + auroc) / 2
    return of_pixels | of_images | {"dice_and_auroc": both}


def batches(pool: Pool, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Images, masks and the number of valid rows; the last batch is padded with image 0."""
    for start in range(0, len(pool.names), size):
        rows = np.arange(start, start + size)
        count = min(size, len(pool.names) - start)
        rows[count:] = 0
        yield pool.images[rows], pool.masks[rows], count
