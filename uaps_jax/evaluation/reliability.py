"""The reliability of an image's pseudo-label, from several checkpoints of one training.

With the probabilities p_k of checkpoint k = 1 .. K, the last one K, and h_k = argmax_c p_k:

    stability = 1 / (K - 1) sum_{k < K} mIoU(h_k, h_K)                     (ST++, Yang et al. 2022)
    certainty = mean over the pixels of (1 - H(p_K) / log C) max_c p_K                        (PPL)
    SIR       = stability * certainty                                                         (PPL)

mIoU is the mean over the classes in either of the two maps. It is 1 for an image in which every
checkpoint sees background alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from uaps_jax.evaluation.evaluate import confusion
from uaps_jax.losses import uncertainty

Terms = Callable[[jax.Array], Mapping[str, jax.Array]]
"""Probabilities of K >= 2 checkpoints, the last one last, `[K, B, H, W, C]`, to the terms of a
score, name -> `[B]`; the score is their product."""


def stability_terms(probabilities: jax.Array) -> dict[str, jax.Array]:
    """The `Terms` of ST++: `stability` alone."""
    return {"stability": stability(probabilities.argmax(-1), probabilities.shape[-1])}


def sir_terms(probabilities: jax.Array) -> dict[str, jax.Array]:
    """The `Terms` of SIR: `stability` and `certainty`."""
    certainty = uncertainty.certainty(probabilities[-1]).mean((-2, -1))
    return stability_terms(probabilities) | {"certainty": certainty}


def stability(classes: jax.Array, count: int) -> jax.Array:
    """The agreement of checkpoints, `[B]`, 0 to 1.

    Args:
      classes: h_k, class ids `[K, B, H, W]` with K >= 2, of the last checkpoint last.
      count: number of classes.
    """
    pairs = jax.vmap(lambda earlier: confusion(classes[-1], earlier, count))(classes[:-1])
    return mean_iou(pairs).mean(0)


def mean_iou(confusions: jax.Array) -> jax.Array:
    """Mean IoU of each matrix over the classes in its rows or columns: `[..., C, C]` to `[...]`."""
    both = jnp.diagonal(confusions, axis1=-2, axis2=-1)
    union = confusions.sum(-1) + confusions.sum(-2) - both
    present = union > 0
    return (both / jnp.maximum(union, 1)).sum(-1) / present.sum(-1)
