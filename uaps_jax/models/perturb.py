"""Perturbations of a feature pyramid (UAPS, Sec. 3; after CCT, Ouali et al. 2020).

Each takes one level `z` `[B * groups, H, W, C]`, interleaved as in `layers.BatchNorm`, and a key.
What the published code draws once for a whole forward pass (the noise tensor, the threshold) is
drawn once per group, because it runs labeled and unlabeled images in separate passes.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

Perturbation = Callable[[jax.Array, jax.Array], jax.Array]


def feature_noise(key: jax.Array, z: jax.Array, *, limit: float, groups: int) -> jax.Array:
    """z * (1 + N), N ~ U(-limit, limit) of shape `[H, W, C]`, shared by the images of a group."""
    noise = jax.random.uniform(key, (1, groups, *z.shape[1:]), z.dtype, -limit, limit)
    grouped = z.reshape(-1, groups, *z.shape[1:])
    return (grouped * (1 + noise)).reshape(z.shape)


def dropout(key: jax.Array, z: jax.Array, *, rate: float) -> jax.Array:
    """Sets each element to zero with probability `rate` and divides the rest by 1 - rate."""
    if rate == 0:
        return z
    keep = jax.random.bernoulli(key, 1 - rate, z.shape)
    return jnp.where(keep, z / (1 - rate), jnp.zeros_like(z))


def feature_dropout(
    key: jax.Array, z: jax.Array, *, low: float, high: float, groups: int
) -> jax.Array:
    """Zeroes the most active pixels, all channels at once.

    A(h, w) is the mean over channels, M its maximum over the image, u ~ U(low, high) one number
    per group; pixels with A >= u * M are dropped. The mask carries no gradient. Where M < 0
    nothing is dropped, as in the published code.
    """
    activation = jax.lax.stop_gradient(z).mean(-1, keepdims=True)
    peak = activation.max((1, 2), keepdims=True)
    u = jax.random.uniform(key, (1, groups, 1, 1, 1), z.dtype, low, high)
    threshold = (peak.reshape(-1, groups, 1, 1, 1) * u).reshape(peak.shape)
    return jnp.where(activation < threshold, z, jnp.zeros_like(z))
