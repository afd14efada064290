"""Mixed pseudo-labels of several decoders, and the distance of predictions."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp


def dirichlet_weights(
    key: jax.Array, decoders: int, dtype: jax.typing.DTypeLike = jnp.float32
) -> jax.Array:
    """Weights `[decoders]`, uniform on the simplex, Dirichlet(1, ..., 1) (UAPS, Sec. 3)."""
    return jax.random.dirichlet(key, jnp.ones(decoders, dtype), dtype=dtype)


def mixing_weights(
    mixing: Literal["dirichlet", "mean"], key: jax.Array, logits: jax.Array
) -> jax.Array:
    """Weights `[K]` of a mixed prediction of logits `[K, ...]`: drawn, or all equal."""
    if mixing == "dirichlet":
        return dirichlet_weights(key, len(logits), logits.dtype)
    return jnp.full(len(logits), 1 / len(logits), logits.dtype)


def mixed_probabilities(logits: jax.Array, weights: jax.Array) -> jax.Array:
    """sum_k beta_k softmax(logits_k), `[B, H, W, C]`.

    Args:
      logits: `[K, B, H, W, C]`.
      weights: beta `[K]`, one draw for the whole batch.
    """
    shape = (-1,) + (1,) * (logits.ndim - 1)
    return (weights.reshape(shape) * jax.nn.softmax(logits)).sum(0)


def mixed_pseudo_label(logits: jax.Array, weights: jax.Array) -> jax.Array:
    """argmax_c sum_k beta_k softmax(logits_k): hard, without threshold or gradient.

    Args:
      logits: `[K, B, H, W, C]`.
      weights: beta `[K]`, one draw for the whole batch.

    Returns:
      Class ids `[B, H, W]`, int32.
    """
    mixed = mixed_probabilities(jax.lax.stop_gradient(logits), weights)
    return mixed.argmax(-1).astype(jnp.int32)


def mean_squared(p: jax.Array, q: jax.Array) -> jax.Array:
    """mean (p - q)^2 of probability maps, over images, pixels and classes."""
    return jnp.square(p - q).mean()
