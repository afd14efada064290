"""Probabilities refined along the edges of their image."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.config import CRFConfig
from uaps_jax.crf.grid import grid_kernel
from uaps_jax.crf.mean_field import Pairwise, mean_field, pairwise, unary_energy
from uaps_jax.crf.pairs import pairs_kernel
from uaps_jax.crf.positions import position_kernel
from uaps_jax.crf.window import windowed_kernel

GREY = (0.299, 0.587, 0.114)  # of R, G, B (ITU-R BT.601)


def refine(image: jax.Array, probabilities: jax.Array, settings: CRFConfig) -> jax.Array:
    """The marginals of the CRF of an image, float32 `[H, W, C]`.

    Args:
      image: 0 to 255, `[H, W, 1]`, grey, or `[H, W, 3]`, RGB.
      probabilities: `[H, W, C]`.
      settings: static.
    """
    terms = pairwise_terms(image, settings)
    return mean_field(unary_energy(probabilities), terms, settings.iterations)


def pairwise_terms(image: jax.Array, settings: CRFConfig) -> tuple[Pairwise, ...]:
    """The kernels of an image, ready for any number of unary energies; `image` as for `refine`."""
    size = (image.shape[0], image.shape[1])
    guide = guide_of(image, settings)
    sigma = settings.bilateral_sigma * max(size)
    position = position_kernel(size, settings.position_sigma)
    if settings.form == "window":
        bilateral = windowed_kernel(guide, sigma, settings.level_sigma, settings.window)
    else:
        full = grid_kernel if guide.shape[-1] == 1 else pairs_kernel
        bilateral = full(guide, sigma, settings.level_sigma)
    return (
        pairwise(position, settings.position_weight, size),
        pairwise(bilateral, settings.bilateral_weight, size),
    )


def guide_of(image: jax.Array, settings: CRFConfig) -> jax.Array:
    """What the bilateral kernel compares, float32 `[H, W, 1]` or `[H, W, 3]`."""
    values = image.astype(jnp.float32)
    if settings.guide == "colour" or values.shape[-1] == 1:
        return values
    red, green, blue = jnp.split(values, 3, axis=-1)
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue
