"""Regions of a binary map: pixels that are connected through their 8 neighbours."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

NEIGHBOURS = np.ones((3, 3), bool)


def in_large_regions(marked: np.ndarray, minimum: int) -> np.ndarray:
    """The marked pixels of regions of at least `minimum` pixels, bool `[H, W]`."""
    labels, _ = ndimage.label(marked, NEIGHBOURS)
    is_large = np.bincount(labels.ravel()) >= minimum
    is_large[0] = False
    return np.asarray(is_large[labels])


def batch_in_large_regions(marked: jax.Array, minimum: int) -> jax.Array:
    """The same of maps `[N, H, W]`, as a function that can be compiled.

    Every marked pixel takes the largest number of a pixel in its region: again and again the
    largest of its neighbours, and then the number which the pixel of that number has.
    """
    count, height, width = marked.shape
    pixels = height * width

    def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        numbers, _ = state
        largest = jax.lax.reduce_window(
            numbers, np.int32(0), jax.lax.max, (1, 3, 3), (1, 1, 1), "SAME"
        )
        numbered = jnp.where(marked, largest, 0).reshape(count, pixels)
        with_outside = jnp.pad(numbered, ((0, 0), (1, 0)))  # number 0 stands for no pixel
        jumped = jnp.take_along_axis(with_outside, numbered, axis=1, mode="clip")
        new = jumped.reshape(count, height, width)
        return new, (new != numbers).any()

    own = jnp.arange(1, pixels + 1, dtype=jnp.int32).reshape(1, height, width)
    first = jnp.where(marked, own, 0)
    numbers, _ = jax.lax.while_loop(lambda state: state[1], step, (first, jnp.bool_(True)))
    flat = numbers.reshape(count, pixels)
    rows = jnp.arange(count)[:, None]
    sizes = jnp.zeros((count, pixels + 1), jnp.int32).at[rows, flat].add(1, mode="drop")
    size = jnp.take_along_axis(sizes, flat, axis=1, mode="clip").reshape(marked.shape)
    return marked & (size >= minimum)
