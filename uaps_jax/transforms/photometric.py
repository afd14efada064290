"""Photometric transforms of one image `[H, W, C]`, float, 0..255; results are not rounded.

The published code truncates to 8 bits after every operation: a change of brightness and contrast,
or noise, makes its images about half a grey level darker than here.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from uaps_jax.transforms.keys import named

BLUR_REACH = 3
"""Radius of the largest box; the sides are 3, 5 and 7."""


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
    """With `probability`, a box blur with a side drawn from 3, 5, 7."""
    apply_key, size_key = jax.random.split(key)
    reach = jax.random.randint(size_key, (), 1, BLUR_REACH + 1)
    reach = jnp.where(jax.random.bernoulli(apply_key, probability), reach, 0)
    return box_blur(image, reach)


def box_blur(image: jax.Array, reach: jax.Array) -> jax.Array:
    """Mean over a (2 * reach + 1)^2 box, reach 0..3 and traced; borders mirrored without the edge
    pixel (OpenCV's default, reflect 101)."""
    offsets = jnp.arange(-BLUR_REACH, BLUR_REACH + 1)
    taps = (jnp.abs(offsets) <= reach).astype(image.dtype) / (2 * reach + 1).astype(image.dtype)
    return _filtered(image, taps)


def random_gaussian_blur(
    key: jax.Array, image: jax.Array, *, probability: float, sigma: tuple[float, float]
) -> jax.Array:
    """With `probability`, a Gaussian blur; its sigma is uniform in a range, in pixels.

    The radius of the kernel is three times the largest sigma.
    """
    apply_key, sigma_key = jax.random.split(key)
    drawn = jax.random.uniform(sigma_key, (), image.dtype, *sigma)
    blurred = gaussian_blur(image, drawn, math.ceil(3 * sigma[1]))
    return jnp.where(jax.random.bernoulli(apply_key, probability), blurred, image)


def gaussian_blur(image: jax.Array, sigma: jax.Array, reach: int) -> jax.Array:
    """Mean weighted by exp(-d^2 / 2 sigma^2), |d| <= `reach`; borders as in `box_blur`."""
    offsets = jnp.arange(-reach, reach + 1).astype(image.dtype)
    taps = jnp.exp(-jnp.square(offsets / sigma) / 2)
    return _filtered(image, taps / taps.sum())


def _filtered(image: jax.Array, taps: jax.Array) -> jax.Array:
    """The correlation of rows and of columns with `taps` `[2 r + 1]`, borders reflected (101)."""
    reach = len(taps) // 2
    for axis in (0, 1):
        pad = [(0, 0)] * image.ndim
        pad[axis] = (reach, reach)
        padded = jnp.pad(image, pad, mode="reflect")
        size = image.shape[axis]
        shifted = [
            taps[i] * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
            for i in range(2 * reach + 1)
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
    key: jax.Array,
    image: jax.Array,
    *,
    probability: float,
    limits: tuple[float, ...],
    random_order: bool,
) -> jax.Array:
    """With `probability`, changes brightness, contrast, saturation and hue (torchvision).

    The first three factors are uniform in max(0, 1 - limit) .. 1 + limit, the hue shift in
    +- limit of a full turn. With `random_order` the order is drawn, as in torchvision; otherwise
    it is this one.
    """
    apply_key, *keys = jax.random.split(key, 5)
    b, c, s, h = (
        jax.random.uniform(k, (), image.dtype, -min(limit, 1), limit)
        for k, limit in zip(keys, limits, strict=True)
    )
    order = jax.random.permutation(named(key, "order"), 4) if random_order else None
    changed = jitter(image, 1 + b, 1 + c, 1 + s, h, order)
    return jnp.where(jax.random.bernoulli(apply_key, probability), changed, image)


def jitter(
    image: jax.Array,
    brightness: jax.Array,
    contrast: jax.Array,
    saturation: jax.Array,
    hue: jax.Array,
    order: jax.Array | None = None,
) -> jax.Array:
    """torchvision's colour jitter on floats; with one channel, saturation and hue have no effect.

    clip(b x); clip(c x + (1 - c) mean grey); clip(s x + (1 - s) grey); the hue shifted by `hue`.

    Args:
      image: `[H, W, C]`.
      brightness: b.
      contrast: c.
      saturation: s.
      hue: in turns.
      order: a permutation of 0..3, the order of these four; None for 0, 1, 2, 3.
    """
    changes = (
        lambda x: jnp.clip(brightness * x, 0, 255),
        lambda x: jnp.clip(contrast * x + (1 - contrast) * _grey(x).mean(), 0, 255),
        lambda x: jnp.clip(saturation * x + (1 - saturation) * _grey(x), 0, 255),
        lambda x: turn_hue(x, hue),
    )
    if image.shape[-1] != 3:
        changes = (*changes[:2], lambda x: x, lambda x: x)
    if order is None:
        for change in changes:
            image = change(image)
        return image
    return jax.lax.fori_loop(
        0, len(changes), lambda i, x: jax.lax.switch(order[i], changes, x), image
    )


def turn_hue(image: jax.Array, turns: jax.Array) -> jax.Array:
    """Shifts the hue of RGB `[..., 3]` by `turns` full turns; value and saturation (HSV) stay.

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


def random_grayscale(key: jax.Array, image: jax.Array, *, probability: float) -> jax.Array:
    """With `probability`, all channels become the luma (ITU-R 601)."""
    grey = jnp.broadcast_to(_grey(image), image.shape)
    return jnp.where(jax.random.bernoulli(key, probability), grey, image)


def random_pixel_dropout(
    key: jax.Array, image: jax.Array, *, probability: float, rate: float
) -> jax.Array:
    """With `probability`, sets each pixel to 0 in all channels with probability `rate`."""
    apply_key, pixel_key = jax.random.split(key)
    dropped = jax.random.bernoulli(pixel_key, rate, image.shape[:2])[..., None]
    return jnp.where(jax.random.bernoulli(apply_key, probability) & dropped, 0, image)


def wrapped(image: jax.Array) -> jax.Array:
    """trunc(255 x) mod 256, float32: what torchvision's `ToPILImage` makes of a float tensor.

    An image in 0..1 becomes one on the 0..255 scale; the values of a normalised image, outside
    0..1, wrap around.
    """
    return jnp.mod(jnp.trunc(255 * image.astype(jnp.float32)), 256)


def _grey(image: jax.Array) -> jax.Array:
    """Luma `[..., 1]` (ITU-R 601)."""
    if image.shape[-1] == 1:
        return image
    return 0.299 * image[..., :1] + 0.587 * image[..., 1:2] + 0.114 * image[..., 2:]
