"""Scores of a predictor on a pool of images."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.data.source import Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import binary, image_level, image_score, metrics, whole_images
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.labels import IGNORE
from uaps_jax.trees import Tree

Predictor = Callable[[Tree, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasureFunction:
    """From variables and images to what is measured; a part is compiled when it is used first.

    Attributes:
      of_batch: jitted: variables, network inputs and masks to confusion matrices `[B, C, C]`, image
        scores `[B]`, and `near_counts` `[B, 2]` or None.
      probabilities: jitted: variables and network inputs to probabilities `[B, H, W, C]`.
      classes: C.
      rule: of the image scores.
    """

    of_batch: Callable[
        [Tree, jax.Array | np.ndarray, jax.Array | np.ndarray],
        tuple[jax.Array, jax.Array, jax.Array | None],
    ]
    probabilities: whole_images.Probabilities
    classes: int
    rule: ScoreRule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What a predictor made of the images of a pool.

    Attributes:
      confusions: integer `[N, C, C]` (truth, prediction).
      image_scores: float32 `[N]`; pixels without a label do not count.
      near_counts: of two classes `[N, 2]`, `binary.near_counts`; else None.
    """

    confusions: np.ndarray
    image_scores: np.ndarray
    near_counts: np.ndarray | None


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
    """The measurements of a predictor.

    Args:
      predictor: `(variables, images)` to probabilities.
      classes: their number.
      rule: of the image scores.
      deterministic: as in `compiler.jit_optimized`.
    """
    jit = functools.partial(compiler.jit_optimized, deterministic=deterministic)

    def of_batch(
        variables: Tree, images: jax.Array, masks: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        found = predictor(variables, images)
        predicted = found.argmax(-1)
        of_images = image_score.scores(found, rule, masks != IGNORE)
        return (
            confusion(masks, predicted, classes),
            of_images,
            _near_counts(masks, predicted, classes),
        )

    def probabilities(variables: Tree, images: jax.Array) -> jax.Array:
        return predictor(variables, images)

    return MeasureFunction(
        of_batch=jit(of_batch), probabilities=jit(probabilities), classes=classes, rule=rule
    )


def measure(
    measure_function: MeasureFunction,
    variables: Tree,
    pool: Pool | WholeImages,
    batch_size: int,
) -> Measured:
    """Confusion matrices and scores of the images of a pool; of whole images at their own size."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []
    classes = measure_function.classes
    if isinstance(pool, WholeImages):
        for one in whole_images.predicted(
            measure_function.probabilities, variables, pool, pool.names, batch_size
        ):
            score = whole_images.score(one, measure_function.rule)
            parts.append(
                (
                    metrics.confusion(one.truth, one.mask, classes)[None],
                    np.array([score], np.float32),
                    _near_counts(one.truth[None], one.mask[None], classes),
                )
            )
    else:
        for images, masks, count in batches(pool, batch_size):
            matrices, of_images, near = measure_function.of_batch(variables, images, masks)
            kept = None if near is None else np.asarray(near)[:count]
            parts.append((np.asarray(matrices)[:count], np.asarray(of_images)[:count], kept))
    confusions, scores, counts = zip(*parts, strict=True)
    return Measured(
        confusions=np.concatenate(confusions),
        image_scores=np.concatenate(scores),
        near_counts=np.concatenate(counts) if classes == 2 else None,
    )


def _near_counts(masks: Any, predicted: Any, classes: int) -> Any:
    """Of class ids `[B, H, W]`, of numpy or JAX; None with several defect classes."""
    if classes != 2:
        return None
    return binary.near_counts(masks == 1, predicted == 1, masks != IGNORE)


def evaluate(
    measure_function: MeasureFunction,
    variables: Tree,
    pool: Pool | WholeImages,
    class_names: Sequence[str],
    batch_size: int,
) -> dict[str, float]:
    """All metrics of the pool."""
    return scores(measure(measure_function, variables, pool, batch_size), class_names)


def scores(measured: Measured, class_names: Sequence[str]) -> dict[str, float]:
    """The metrics of `metrics.scores` and of `image_level.separation`, and `dice_and_auroc`.

    With one defect class also those of `binary.scores`.

    `dice_and_auroc` is the mean of `image_dice`, for which only images with a defect count, and of
    `auroc`, for which those without one count as well; without these it is `image_dice`.
    """
    of_pixels = metrics.scores(measured.confusions, class_names)
    if measured.near_counts is not None:
        of_pixels |= binary.scores(measured.confusions, measured.near_counts)
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
