"""The reliability of an image's pseudo-label, from several checkpoints of one training.

With the probabilities p_k of checkpoint k = 1 .. K, the last one K, and h_k = argmax_c p_k:

    stability = 1 / (K - 1) sum_{k < K} mIoU(h_k, h_K)                     (ST++, Yang et al. 2022)
    certainty = mean over the pixels of (1 - H(p_K) / log C) max_c p_K                        (PPL)
    SIR       = stability * certainty

mIoU is a mean over the classes in either of the two maps. An image in which all checkpoints see
background alone is stable, 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.evaluation.evaluate import confusion
from uaps_jax.losses import uncertainty


def mean_iou(confusions: jax.Array) -> jax.Array:
    """Mean IoU of each matrix over the classes in its rows or columns: `[..., C, C]` to `[...]`."""
    both = jnp.diagonal(confusions, axis1=-2, axis2=-1)
    union = confusions.sum(-1) + confusions.sum(-2) - both
    present = union > 0
    iou = both / jnp.where(present, union, 1)
    return iou.sum(-1) / present.sum(-1)


def stability(classes: jax.Array, count: int) -> jax.Array:
    """The agreement of checkpoints, `[B]`, 0 to 1.

    Args:
      classes: h_k, class ids `[K, B, H, W]` with K >= 2, of the last checkpoint last.
      count: C.
    """
    confusions = jax.vmap(lambda h: confusion(classes[-1], h, count))(classes[:-1])
    return mean_iou(confusions).mean(0)


def image_certainty(probabilities: jax.Array) -> jax.Array:
    """The certainty of each image: `[B, H, W, C]` to `[B]`, 0 to 1."""
    return uncertainty.certainty(probabilities).mean((-2, -1))


def sir_terms(probabilities: jax.Array) -> dict[str, jax.Array]:
    """`stability` and `certainty`, whose product is SIR, `[B]` each.

    Args:
      probabilities: p_k, `[K, B, H, W, C]` with K >= 2, of the last checkpoint last.
    """
    count = probabilities.shape[-1]
    return {
        "stability": stability(probabilities.argmax(-1), count),
        "certainty": image_certainty(probabilities[-1]),
    }
