"""The mean of a network's maps over rescaled and mirrored views of its images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

URN_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
"""Factors of the image's size with which URN predicts training images."""


def view_sizes(
    size: tuple[int, int], scales: Sequence[float], multiple: int
) -> tuple[tuple[int, int], ...]:
    """Height and width of each view: the scaled size, rounded to a multiple of a number.

    Args:
      size: of the image.
      scales: factors.
      multiple: the network's stride.
    """

    def scaled(length: int, scale: float) -> int:
        return max(1, int(length * scale / multiple + 0.5)) * multiple

    return tuple((scaled(size[0], scale), scaled(size[1], scale)) for scale in scales)


def mean_over_views(
    network: Callable[[jax.Array], jax.Array],
    images: jax.Array,
    sizes: Sequence[tuple[int, int]],
    finish: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """mean_v finish(resize(unflip(network(flip(resize(images)))))).

    Each size is a view without and one with a horizontal flip.

    Args:
      network: images `[B, h, w, channels]` to logits or activations `[B, h', w', C]`.
      images: `[B, H, W, channels]`.
      sizes: of the views, static.
      finish: what becomes of a view's output, at the size of the images, before the mean: a softmax
        of logits.

    Returns:
      `[B, H, W, C]`.
    """
    total: jax.Array | float = 0.0
    for size in sizes:
        view = _resized(images, size)
        for flip in (False, True):
            output = network(view[:, :, ::-1] if flip else view)
            output = output[:, :, ::-1] if flip else output
            total = total + finish(_resized(output, (images.shape[1], images.shape[2])))
    return jnp.asarray(total) / (2 * len(sizes))


def _resized(images: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Bilinear, without smoothing, `[B, H, W, C]` to `[B, *size, C]` (OpenCV, PyTorch)."""
    shape = (images.shape[0], *size, images.shape[3])
    return jax.image.resize(images, shape, "bilinear", antialias=False)
