"""InfoNCE over pixels, with prototypes of the classes as positives (U2PL, Wang et al. 2022)."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def unit(x: jax.Array) -> jax.Array:
    """`x / |x|` over the last axis, 0 for a zero vector; float32 or wider."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    squared = jnp.square(wide).sum(-1, keepdims=True)
    is_zero = squared == 0
    return wide * jnp.where(is_zero, 0, jax.lax.rsqrt(jnp.where(is_zero, 1, squared)))


def prototypes(features: jax.Array, members: jax.Array) -> jax.Array:
    """The mean feature of each class's members, 0 without any: `[C, D]`.

    Args:
      features: `[N, D]`.
      members: boolean `[C, N]`.
    """
    weights = members.astype(features.dtype)
    count = jnp.maximum(weights.sum(1), 1)
    return jnp.einsum("cn,nd->cd", weights, features, precision="highest") / count[:, None]


def info_nce(
    positive: jax.Array, negative: jax.Array, temperature: float, is_counted: jax.Array
) -> jax.Array:
    """1/C sum_c 1/M sum_i -log[e^(p/tau) / (e^(p/tau) + sum_j e^(n_j/tau))] (U2PL, Eq. 4).

    Args:
      positive: p, the cosine of an anchor and its class's prototype, `[C, M]`.
      negative: n_j, the cosines of the anchor and its N negatives, `[C, M, N]`.
      temperature: tau.
      is_counted: `[C]`; the other classes add 0 and no gradient.
    """
    all_pairs = jnp.concatenate([positive[..., None], negative], axis=-1) / temperature
    losses = jax.nn.logsumexp(all_pairs, axis=-1) - all_pairs[..., 0]
    return jnp.where(is_counted, losses.mean(1), 0).mean()
