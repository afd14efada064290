"""Predictions averaged over scales and mirrored images (test-time augmentation)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from uaps_jax.models.resize import resize
from uaps_jax.trees import Tree

Predict = Callable[[Tree, jax.Array], jax.Array]
"""Variables and images `[B, H, W, channels]`, 0..255, to probabilities `[B, H, W, C]`."""


def augmented(predict: Predict, scales: Sequence[float], *, flip: bool, stride: int) -> Predict:
    """The mean of the probabilities of warped images, each warped back.

    Resizing is bilinear with aligned corners, as in ST++. ST++ resizes logits back, not
    probabilities.

    Args:
      predict: of the images as they are.
      scales: factors of both sides; a side is rounded to a multiple of `stride`.
      flip: whether every scale is also predicted for the images mirrored left to right.
      stride: of the network.
    """

    def of_mean(variables: Tree, images: jax.Array) -> jax.Array:
        height, width = images.shape[1:3]
        images = images.astype(jnp.promote_types(images.dtype, jnp.float32))
        found = []
        for scale in scales:
            scaled = resize(images, *(scaled_side(n, scale, stride) for n in (height, width)))
            for mirrored in (False, True) if flip else (False,):
                probabilities = predict(variables, jnp.flip(scaled, 2) if mirrored else scaled)
                back = jnp.flip(probabilities, 2) if mirrored else probabilities
                found.append(resize(back, height, width))
        return sum(found[1:], found[0]) / len(found)

    return of_mean


def scaled_side(pixels: int, scale: float, stride: int) -> int:
    """A scaled side in pixels, a multiple of the stride of the network, at least one of them."""
    return pixels if scale == 1 else max(1, round(pixels * scale / stride)) * stride
