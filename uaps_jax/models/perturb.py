"""Perturbations of a feature pyramid (UAPS, Sec. 3; after CCT, Ouali et al. 2020).

Each takes one level `z` `[B * parts, H, W, C]`, interleaved as in `layers.BatchNorm`, and a key.
The published code draws the noise tensor and the threshold once for a forward pass, and runs
labeled and unlabeled images in separate passes; here they are drawn once per batch part.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from uaps_jax.config import NetworkConfig
from uaps_jax.models import layers

Perturbation = Callable[[jax.Array, jax.Array, int], jax.Array]
"""`(key, z, parts)` to the perturbed level."""


def feature_noise(key: jax.Array, z: jax.Array, *, limit: float, parts: int) -> jax.Array:
    """z * (1 + N), N ~ U(-limit, limit) of shape `[H, W, C]`, shared by the images of a part."""
    noise = jax.random.uniform(key, (1, parts, *z.shape[1:]), z.dtype, -limit, limit)
    parted = z.reshape(-1, parts, *z.shape[1:])
    return (parted * (1 + noise)).reshape(z.shape)


def dropout(key: jax.Array, z: jax.Array, *, rate: float) -> jax.Array:
    """Sets each element to zero with probability `rate` and divides the rest by 1 - rate."""
    if rate == 0:
        return z
    return layers.dropout(key, z, rate, z.shape)


def feature_dropout(
    key: jax.Array, z: jax.Array, *, low: float, high: float, parts: int
) -> jax.Array:
    """Zeroes the most active pixels, all channels at once.

    A(h, w) is the mean over channels, M its maximum over the image, u ~ U(low, high) one number
    per part; pixels with A >= u * M are dropped. The mask carries no gradient. Where M < 0
    nothing is dropped, as in the published code.
    """
    activation = jax.lax.stop_gradient(z).mean(-1, keepdims=True)
    peak = activation.max((1, 2), keepdims=True)
    u = jax.random.uniform(key, (1, parts, 1, 1, 1), z.dtype, low, high)
    threshold = (peak.reshape(-1, parts, 1, 1, 1) * u).reshape(peak.shape)
    return jnp.where(activation < threshold, z, jnp.zeros_like(z))


def published(options: NetworkConfig) -> tuple[Perturbation, ...]:
    """The perturbations of UAPS's auxiliary decoders: feature noise, dropout, feature dropout."""
    low, high = options.feature_dropout
    return (
        lambda key, z, parts: feature_noise(key, z, limit=options.noise_limit, parts=parts),
        lambda key, z, parts: dropout(key, z, rate=options.perturb_dropout),
        lambda key, z, parts: feature_dropout(key, z, low=low, high=high, parts=parts),
    )
