"""Online hard example mining: cross-entropy of the pixels with the lowest probabilities."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE
from uaps_jax.losses.segmentation import masked_mean, pixel_cross_entropy


def ohem_cross_entropy(
    logits: jax.Array, labels: jax.Array, *, threshold: float, min_kept: int
) -> jax.Array:
    """Mean -log p_y over the pixels with p_y <= max(threshold, p_(k)) (U2PL, CPS, UniMatch).

    p_y is the probability of a pixel's label and p_(k) the k-th smallest of the batch's labeled
    pixels, k = `min_kept`: at least k pixels are kept, and all that equal the k-th. With fewer than
    k labeled pixels all are kept. 0 if none is kept. The choice carries no gradient.

    Args:
      logits: `[B, H, W, C]`; the loss is computed in float32 or wider.
      labels: integer class ids `[B, H, W]`; pixels of label 255 are left out.
      threshold: 0.7 as published.
      min_kept: pixels of the whole batch, 0 or more. Published for a number of images and a crop
        size (UniMatch: 200,000 at 801 px); in proportion to the pixels for others.
    """
    labeled = labels != IGNORE
    wide = jnp.promote_types(logits.dtype, jnp.float32)
    loss = pixel_cross_entropy(logits.astype(wide), labels)
    p = jnp.where(labeled, jnp.exp(-jax.lax.stop_gradient(loss)), jnp.inf)
    limit = jnp.asarray(threshold, wide)
    if min_kept > 0:
        limit = jnp.maximum(limit, jnp.sort(p.reshape(-1))[min(min_kept, p.size) - 1])
    return masked_mean(loss, labeled & (p <= limit))
