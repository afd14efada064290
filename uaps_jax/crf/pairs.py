"""A bilateral kernel of a guide in colours: every pair of pixels, held or computed anew."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp

from uaps_jax.crf.kernels import Kernel

MATRIX_PIXELS = 64 * 64
"""Up to so many pixels all pairs are held in memory, 64 MiB."""

BLOCK_PAIRS = 2048 * 2048
"""Pairs that `Blocks` computes at a time, 16 MiB, or those of one pixel if they are more."""


@functools.partial(jax.tree_util.register_dataclass, data_fields=["pairs"], meta_fields=[])
@dataclasses.dataclass(frozen=True)
class Matrix:
    """Any kernel of a small image.

    Attributes:
      pairs: k, `[N, N]` for N pixels in row-major order.
    """

    pairs: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        flat = values.reshape(-1, values.shape[-1])
        return _product(self.pairs, flat).reshape(values.shape)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["features", "sigmas"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class Blocks:
    """Any kernel of a larger image: the pairs of some pixels with all are computed at a time.

    Attributes:
      features: f before the division by sigma, `[H, W, F]`.
      sigmas: of each feature, `[F]`.
    """

    features: jax.Array
    sigmas: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        all_features = self.features.reshape(-1, self.features.shape[-1])
        flat = values.reshape(-1, values.shape[-1])

        def of_pixel(features: jax.Array) -> jax.Array:
            pairs = pairs_of(features[None], all_features, self.sigmas)
            return _product(pairs, flat)[0]

        at_once = max(1, BLOCK_PAIRS // len(flat))
        return jax.lax.map(of_pixel, all_features, batch_size=at_once).reshape(values.shape)


def pairs_kernel(guide: jax.Array, sigma: float, level_sigma: float) -> Kernel:
    """exp(-|p_i - p_j|^2 / (2 sigma^2) - |I_i - I_j|^2 / (2 level_sigma^2)).

    Its time grows with the square of the number of pixels.

    Args:
      guide: I, grey values or colours, `[H, W, channels]`.
      sigma: of positions p, in pixels.
      level_sigma: of grey values or colours.
    """
    features, sigmas = features_of(guide, sigma, level_sigma)
    if guide.shape[0] * guide.shape[1] > MATRIX_PIXELS:
        return Blocks(features, sigmas)
    flat = features.reshape(-1, features.shape[-1])
    return Matrix(pairs_of(flat, flat, sigmas))


def features_of(guide: jax.Array, sigma: float, level_sigma: float) -> tuple[jax.Array, jax.Array]:
    """Position and colour, `[H, W, 2 + channels]`, and the sigma of each, `[2 + channels]`."""
    height, width, channels = guide.shape
    places = (jnp.arange(length, dtype=jnp.float32) for length in (height, width))
    position = jnp.stack(jnp.meshgrid(*places, indexing="ij"), -1)
    features = jnp.concatenate([position, guide.astype(jnp.float32)], -1)
    return features, jnp.array([sigma] * 2 + [level_sigma] * channels, jnp.float32)


def pairs_of(first: jax.Array, second: jax.Array, sigmas: jax.Array) -> jax.Array:
    """exp(-sum_a (f_ia - f_ja)^2 / (2 sigma_a^2)), `[n, m]`.

    Args:
      first: f_i, `[n, F]`.
      second: f_j, `[m, F]`.
      sigmas: `[F]`.
    """
    squares = sum(
        jnp.square((first[:, None, axis] - second[None, :, axis]) / sigmas[axis])
        for axis in range(first.shape[1])
    )
    return jnp.exp(-squares / 2)


def _product(pairs: jax.Array, values: jax.Array) -> jax.Array:
    result: jax.Array = jnp.matmul(pairs, values, precision="highest")
    return result
