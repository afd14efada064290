"""Changes of one image `[H, W, C]`, float on the 0..255 scale; results are not rounded."""

from __future__ import annotations

import jax
import jax.numpy as jnp

BLUR_REACH = 3
"""Half the largest box: kernels are 3, 5 and 7."""


def random_brightness_contrast(
    key: jax.Array,
    image: jax.Array,
    *,
    probability: float,
    contrast: tuple[float, float],
    brightness: tuple[float, float],
) -> jax.Array:
    """With `probability`, clip((1 + a) x + 255 b, 0, 255), a and b uniform in their ranges.

    With the released ranges, (0, 0.5) both, images only get brighter and may saturate.
    """
    apply_key, a_key, b_key = jax.random.split(key, 3)
    a = jax.random.uniform(a_key, (), image.dtype, *contrast)
    b = jax.random.uniform(b_key, (), image.dtype, *brightness)
    changed = jnp.clip((1 + a) * image + 255 * b, 0, 255)
    return jnp.where(jax.random.bernoulli(apply_key, probability), changed, image)


def random_blur(key: jax.Array, image: jax.Array, *, probability: float) -> jax.Array:
    """With `probability`, a box blur whose side is drawn from 3, 5, 7."""
    apply_key, size_key = jax.random.split(key)
    reach = jax.random.randint(size_key, (), 1, BLUR_REACH + 1)
    reach = jnp.where(jax.random.bernoulli(apply_key, probability), reach, 0)
    return box_blur(image, reach)


def box_blur(image: jax.Array, reach: jax.Array) -> jax.Array:
    """Mean over a (2 * reach + 1)^2 box, reach 0..3 and traced; borders mirrored without the edge
    pixel (OpenCV's default, reflect 101)."""
    offsets = jnp.arange(-BLUR_REACH, BLUR_REACH + 1)
    taps = (jnp.abs(offsets) <= reach).astype(image.dtype) / (2 * reach + 1).astype(image.dtype)
    for axis in (0, 1):
        pad = [(0, 0)] * image.ndim
        pad[axis] = (BLUR_REACH, BLUR_REACH)
        padded = jnp.pad(image, pad, mode="reflect")
        size = image.shape[axis]
        shifted = [
            taps[i] * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
            for i in range(2 * BLUR_REACH + 1)
        ]
        image = sum(shifted[1:], shifted[0])
    return image


def random_noise(
    key: jax.Array, image: jax.Array, *, probability: float, variance: tuple[float, float]
) -> jax.Array:
    """With `probability`, clip(x + n, 0, 255), n Gaussian per channel, variance uniform."""
    apply_key, variance_key, noise_key = jax.random.split(key, 3)
    sigma = jnp.sqrt(jax.random.uniform(variance_key, (), image.dtype, *variance))
    noisy = jnp.clip(image + sigma * jax.random.normal(noise_key, image.shape, image.dtype), 0, 255)
    return jnp.where(jax.random.bernoulli(apply_key, probability), noisy, image)
