"""Pseudo-masks made of class activation maps (PMM: Li et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from uaps_jax.crf.mean_field import Pairwise, mean_field, unary_energy

LEAST_ACTIVATION = 0.05
"""Activations below this are set to 0 by `smoothed`."""

VARIATION_FACTOR = 0.3
"""The factor of the coefficient of variation in `smoothed`."""


def normalized_maps(maps: jax.Array, tags: jax.Array) -> jax.Array:
    """(v - min v) / (max v - min v) over the positions of each class; 0 for absent classes.

    A constant map becomes 0.

    Args:
      maps: v, mean over views, `[H, W, K]`, of the foreground classes.
      tags: classes that are in the image, bool `[K]`.
    """
    low, high = (f(maps, axis=(0, 1), keepdims=True) for f in (jnp.min, jnp.max))
    shares = (maps - low) / jnp.where(high > low, high - low, 1)
    return jnp.where(tags[None, None], shares, 0)


def smoothed_maps(maps: jax.Array) -> jax.Array:
    """v^(1 - s_k), s_k = 0.3 std(v) / mean(v) over the positions of class k with v > 0.05.

    Coefficient-of-variation smoothing: a map of few high values is widened, an even one is kept.
    Values below 0.05 become 0. A class without a value above has s_k = 0.

    Args:
      maps: v, 0 to 1, `[H, W, K]`.
    """
    is_counted = maps > LEAST_ACTIVATION
    count = jnp.maximum(is_counted.sum((0, 1), keepdims=True), 1)
    mean = jnp.where(is_counted, maps, 0).sum((0, 1), keepdims=True) / count
    squares = jnp.where(is_counted, jnp.square(maps - mean), 0).sum((0, 1), keepdims=True)
    spread = VARIATION_FACTOR * jnp.sqrt(squares / count) / jnp.where(mean > 0, mean, 1)
    is_kept = maps >= LEAST_ACTIVATION
    return jnp.where(is_kept, jnp.where(is_kept, maps, 1) ** (1 - spread), 0)


def foreground(
    maps: jax.Array, terms: Sequence[Pairwise], *, iterations: int, alpha: float
) -> jax.Array:
    """Whether a pixel belongs to each class, decided class by class, bool `[H, W, K]`.

    The marginal of a CRF with two labels is above 0.5; their unary energies are those of
    (1 - v)^alpha, background, and v.

    Args:
      maps: v, 0 to 1, `[H, W, K]`.
      terms: kernels of the image; none for no CRF.
      iterations: of mean field.
      alpha: 11 as published; a lower one makes the foreground smaller.
    """

    def one(v: jax.Array) -> jax.Array:
        energy = unary_energy(jnp.stack([(1 - v) ** alpha, v], -1))
        marginals = mean_field(energy, terms, iterations) if terms else jax.nn.softmax(-energy)
        return marginals[..., 1] > 0.5

    return jax.vmap(one, in_axes=-1, out_axes=-1)(maps)


def proportional_mask(maps: jax.Array, is_foreground: jax.Array) -> jax.Array:
    """argmax_k f_k v_k / (1 + sum_j v_k(j) f_k(j)) + 1, or 0 where no f_k is true.

    The proportional pseudo-mask: where classes overlap, the one of smaller total activation wins.

    Args:
      maps: v, 0 to 1, `[H, W, K]`.
      is_foreground: f, bool `[H, W, K]`.

    Returns:
      class ids, the background 0 and class k as k + 1, int32 `[H, W]`.
    """
    own = jnp.where(is_foreground, maps, 0)
    importance = own / (1 + own.sum((0, 1), keepdims=True))
    # Classes outside the foreground lose even to a foreground class whose activation is 0.
    importance = jnp.where(is_foreground, importance, -1)
    best = importance.argmax(-1).astype(jnp.int32) + 1
    return jnp.where(is_foreground.any(-1), best, 0)
