"""Cross entropy of pseudo-labels that does not learn their hardest pixels (PMM: Li et al. 2021)."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE
from uaps_jax.losses.segmentation import masked_mean, pixel_cross_entropy

UnderFittingForm = Literal["released", "repaired"]


def pretended_under_fitting(
    logits: jax.Array, labels: jax.Array, *, start: float, limit: float, form: UnderFittingForm
) -> jax.Array:
    """Mean of min(l, `limit`) over the pixels once the mean of l is below `start`, else of l.

    l = -log p_y. A pixel with l above the limit then has no gradient: with a limit of 0.5, one
    whose label has a probability below 0.607.

    "released": both means are over all pixels, those without a label included as 0. Where a defect
    covers few pixels, the mean is below `start` before the network knows the defect, and all of its
    pixels lose their gradient. "repaired": the mean that is held against `start` is that of the
    means of the classes in the batch, and the loss is the mean over the labeled pixels.

    Args:
      logits: `[B, H, W, C]`.
      labels: integer class ids `[B, H, W]`; pixels of label 255 are left out.
      start: beta, 0.5 as published for PASCAL VOC.
      limit: k, likewise.
      form: see above.
    """
    losses = pixel_cross_entropy(logits, labels)
    clamped = jnp.minimum(losses, limit)
    if form == "released":
        return jnp.where(losses.mean() < start, clamped.mean(), losses.mean())
    of_class = jax.nn.one_hot(labels, logits.shape[-1], dtype=losses.dtype)
    counts = of_class.sum((0, 1, 2))
    means = (of_class * losses[..., None]).sum((0, 1, 2)) / jnp.maximum(counts, 1)
    labeled = labels != IGNORE
    return masked_mean(jnp.where(masked_mean(means, counts > 0) < start, clamped, losses), labeled)
