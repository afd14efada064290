"""A training view: geometry, then photometry, then normalisation, all of it jitted."""

from __future__ import annotations

import dataclasses
import zlib

import jax
import jax.numpy as jnp

from uaps_jax.transforms import geometric, photometric

Probability = float
Range = tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """One view's random changes; the fields are those of `config.ViewConfig`."""

    hflip: Probability
    vflip: Probability
    rot90: Probability
    grid_distortion: Probability
    brightness_contrast: Probability
    contrast_limit: Range
    brightness_limit: Range
    blur: Probability
    jitter: Probability
    jitter_limits: tuple[float, ...]
    pixel_dropout: Probability
    pixel_dropout_rate: float
    noise: Probability
    noise_variance: Range
    noise_first: bool


def draw(
    key: jax.Array, images: jax.Array, masks: jax.Array, policy: Policy, look: str = ""
) -> tuple[jax.Array, jax.Array]:
    """Draws one view per image, in the order of the released scripts.

    Flips, brightness and contrast, distortion, blur, jitter, black pixels, quarter turns, noise. A
    change of probability 0 is left out of the compiled program. Image b draws from
    `fold_in(key, b)`: its view does not depend on the batch it is in or on how it is sharded.

    Args:
      key: of this step and stream.
      images: uint8 `[B, H, W, C]`.
      masks: uint8 class ids `[B, H, W]`.
      policy: probabilities and limits.
      look: name of another look at the same images: with the same key it has the same geometry
        (if the policies agree on it), and brightness and colour of its own.

    Returns:
      Images as float32 on the 0..255 scale, and masks as uint8.
    """
    keys = image_keys(key, images.shape[0])
    return jax.vmap(lambda k, x, y: _view(k, x, y, policy, look))(keys, images, masks)


def image_keys(key: jax.Array, count: int) -> jax.Array:
    """A key for each image of a batch, the same whatever the batch's size."""
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.arange(count))


def _view(
    key: jax.Array, image: jax.Array, mask: jax.Array, policy: Policy, look: str
) -> tuple[jax.Array, jax.Array]:
    keys = jax.random.split(key, 5)
    flip_key, turn_key, grid_key = keys[0], keys[3], _named(key, "grid distortion")
    if look:
        key = _named(key, look)
        keys = jax.random.split(key, 5)
    light_key, blur_key, noise_key = keys[1], keys[2], keys[4]

    def noisy(x: jax.Array) -> jax.Array:
        if not policy.noise:
            return x
        return photometric.random_noise(
            noise_key, x, probability=policy.noise, variance=policy.noise_variance
        )

    if policy.hflip or policy.vflip:
        image, mask = geometric.random_flip(
            flip_key, image, mask, horizontal=policy.hflip, vertical=policy.vflip
        )
    x = image.astype(jnp.float32)
    if policy.noise_first:
        x = noisy(x)
    if policy.brightness_contrast:
        x = photometric.random_brightness_contrast(
            light_key,
            x,
            probability=policy.brightness_contrast,
            contrast=policy.contrast_limit,
            brightness=policy.brightness_limit,
        )
    if policy.grid_distortion:
        x, mask = geometric.random_grid_distortion(
            grid_key, x, mask, probability=policy.grid_distortion
        )
    if policy.blur:
        x = photometric.random_blur(blur_key, x, probability=policy.blur)
    if policy.jitter:
        x = photometric.random_jitter(
            _named(key, "jitter"), x, probability=policy.jitter, limits=policy.jitter_limits
        )
    if policy.pixel_dropout:
        x = photometric.random_pixel_dropout(
            _named(key, "pixel dropout"),
            x,
            probability=policy.pixel_dropout,
            rate=policy.pixel_dropout_rate,
        )
    if policy.rot90:
        x, mask = geometric.random_rot90(turn_key, x, mask, probability=policy.rot90)
    if not policy.noise_first:
        x = noisy(x)
    return x, mask


def _named(key: jax.Array, name: str) -> jax.Array:
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def normalize(
    images: jax.Array, mean: tuple[float, ...], std: tuple[float, ...], dtype: jnp.dtype
) -> jax.Array:
    """(x / 255 - mean) / std per channel: `[..., C]` on the 0..255 scale to `dtype`."""
    wide = jnp.promote_types(dtype, jnp.float32)
    shape = (1,) * (images.ndim - 1) + (-1,)
    x = images.astype(wide) / 255
    x = (x - jnp.asarray(mean, wide).reshape(shape)) / jnp.asarray(std, wide).reshape(shape)
    return x.astype(dtype)
