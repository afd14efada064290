"""Disagreement of predictions, in nats, and certainty of a prediction, 0 to 1; per pixel."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp


def kl_to_mean(logits: jax.Array, *, detach_mean: bool = False) -> jax.Array:
    """D_k = KL(mean_j p_j || p_k) per pixel, in nats (UAPS, Sec. 3).

    Computed from log-probabilities alone, so that p_k = 0 gives no NaN.

    Args:
      logits: `[K, B, H, W, C]`.
      detach_mean: stop the gradient through the mean; the released code does not.

    Returns:
      `[K, B, H, W]`, not negative.
    """
    log_p = jax.nn.log_softmax(logits)
    log_mean = jax.nn.logsumexp(log_p, axis=0) - jnp.log(logits.shape[0]).astype(logits.dtype)
    if detach_mean:
        log_mean = jax.lax.stop_gradient(log_mean)
    return (jnp.exp(log_mean)[None] * (log_mean[None] - log_p)).sum(-1)


def kl(logits: jax.Array, other: jax.Array) -> jax.Array:
    """KL(softmax(logits) || softmax(other)): `[..., C]` to `[...]`, not negative."""
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(other)
    return (jnp.exp(log_p) * (log_p - log_q)).sum(-1)


def certainty(probabilities: jax.Array) -> jax.Array:
    """(1 - H(p) / log C) max_c p_c, H the entropy (AugSeg, PPL): `[..., C]` to `[...]`, 0 to 1."""
    entropy = jax.scipy.special.entr(probabilities).sum(-1)
    relative = entropy / math.log(probabilities.shape[-1])
    return (1 - relative) * probabilities.max(-1)
