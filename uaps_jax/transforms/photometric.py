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


def random_jitter(
    key: jax.Array, image: jax.Array, *, probability: float, limits: tuple[float, ...]
) -> jax.Array:
    """With `probability`, changes brightness, contrast, saturation and hue, in this order.

    Factors are uniform in 1 +- limit, the hue's shift in +- limit of a turn. Libraries draw the
    order of the four; here it is fixed.
    """
    apply_key, *keys = jax.random.split(key, 5)
    b, c, s, h = (
        jax.random.uniform(k, (), image.dtype, -limit, limit)
        for k, limit in zip(keys, limits, strict=True)
    )
    changed = jitter(image, 1 + b, 1 + c, 1 + s, h)
    return jnp.where(jax.random.bernoulli(apply_key, probability), changed, image)


def jitter(
    image: jax.Array,
    brightness: jax.Array,
    contrast: jax.Array,
    saturation: jax.Array,
    hue: jax.Array,
) -> jax.Array:
    """Colour jitter as torchvision's, on floats; saturation and hue need three channels.

    clip(b x); clip(c x + (1 - c) mean grey); clip(s x + (1 - s) grey); the hue turned by `hue`.
    """
    x = jnp.clip(brightness * image, 0, 255)
    x = jnp.clip(contrast * x + (1 - contrast) * _grey(x).mean(), 0, 255)
    if image.shape[-1] != 3:
        return x
    x = jnp.clip(saturation * x + (1 - saturation) * _grey(x), 0, 255)
    return turn_hue(x, hue)


def turn_hue(image: jax.Array, turns: jax.Array) -> jax.Array:
    """Turns the hue of RGB `[..., 3]` by so many turns; value and saturation (HSV) stay.

    In HSV, channel n of (5, 3, 1) is V - V S max(0, min(k, 4 - k, 1)), k = (n + 6 H) mod 6.
    """
    value, low = image.max(-1), image.min(-1)
    chroma = value - low
    safe = jnp.where(chroma > 0, chroma, 1)
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    sixths = jnp.select(
        [value == r, value == g], [(g - b) / safe, 2 + (b - r) / safe], 4 + (r - g) / safe
    )
    sixths = sixths + 6 * turns
    channels = []
    for offset in (5, 3, 1):
        k = jnp.mod(offset + sixths, 6)
        channels.append(value - chroma * jnp.clip(jnp.minimum(k, 4 - k), 0, 1))
    return jnp.stack(channels, axis=-1)


def random_pixel_dropout(
    key: jax.Array, image: jax.Array, *, probability: float, rate: float
) -> jax.Array:
    """With `probability`, sets a share `rate` of the pixels to 0 in all channels."""
    apply_key, pixel_key = jax.random.split(key)
    dropped = jax.random.bernoulli(pixel_key, rate, image.shape[:2])[..., None]
    return jnp.where(jax.random.bernoulli(apply_key, probability) & dropped, 0, image)


def _grey(image: jax.Array) -> jax.Array:
    """Luma `[..., 1]` (ITU-R 601)."""
    if image.shape[-1] == 1:
        return image
    return 0.299 * image[..., :1] + 0.587 * image[..., 1:2] + 0.114 * image[..., 2:]
