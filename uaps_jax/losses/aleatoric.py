"""Losses with a predicted variance: as in DUEB's released code, and as in Kendall and Gal (2017).

Both add noise of the predicted variance to the logits f and compute the cross-entropy.
The noise is an argument, `[T, B, H, W, C]` standard normal.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE
from uaps_jax.losses.segmentation import cross_entropy, masked_mean

LOG_VARIANCE_RANGE = (-7.0, 3.0)


def released(
    logits: jax.Array, variance: jax.Array, labels: jax.Array, noise: jax.Array
) -> jax.Array:
    """CE [1/T sum_t -ELU(CE - CE_t)] + CE + mean(e^v - 1)  (DUEB, released code).

    CE and CE_t are means over the labeled pixels of the whole batch, of f and of
    f + sqrt(v) noise_t. No gradient flows to v through the noise, only through the last term.

    Args:
      logits: `[B, H, W, C]`.
      variance: v, positive, `[B, H, W]`, shared by the classes.
      labels: class ids `[B, H, W]`, 255 where there is none.
      noise: `[T, B, H, W, C]`.
    """
    plain = cross_entropy(logits, labels)
    scale = jnp.sqrt(jax.lax.stop_gradient(variance))[..., None]
    perturbed = jnp.stack([cross_entropy(logits + scale * n, labels) for n in noise])
    factor = -jax.nn.elu(plain - perturbed).mean()
    return plain * factor + plain + jnp.expm1(variance).mean()


def repaired(
    logits: jax.Array,
    log_variance: jax.Array,
    labels: jax.Array,
    noise: jax.Array,
    weight: jax.Array | None = None,
) -> jax.Array:
    """-log 1/T sum_t softmax(f + sigma noise_t)_y per pixel (Kendall and Gal 2017, Eq. 12).

    The mean over labeled pixels, each times `weight`; gradients flow to the variance through the
    noise. 0 without labeled pixels.

    Args:
      logits: `[B, H, W, C]`.
      log_variance: `[B, H, W]`, clipped to -7..3; sigma = exp(s / 2).
      labels: class ids `[B, H, W]`, 255 where there is none.
      noise: `[T, B, H, W, C]`.
      weight: `[B, H, W]`; all ones if None.
    """
    scale = jnp.exp(0.5 * jnp.clip(log_variance, *LOG_VARIANCE_RANGE))[..., None]
    classes = jnp.where(labels == IGNORE, 0, labels)[..., None]

    def log_likelihood(n: jax.Array) -> jax.Array:
        log_p = jax.nn.log_softmax(logits + scale * n)
        return jnp.take_along_axis(log_p, classes, axis=-1)[..., 0]

    samples = jnp.stack([log_likelihood(n) for n in noise])
    loss = math.log(len(noise)) - jax.nn.logsumexp(samples, axis=0)
    return masked_mean(loss if weight is None else loss * weight, labels != IGNORE)
