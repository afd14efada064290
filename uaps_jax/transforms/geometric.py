"""Flips and quarter turns; image and mask move together. One image `[H, W, C]` at a time."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def random_flip(
    key: jax.Array, image: jax.Array, mask: jax.Array, *, horizontal: float, vertical: float
) -> tuple[jax.Array, jax.Array]:
    """Mirrors left-right and up-down, each with its own probability."""
    h_key, v_key = jax.random.split(key)
    for axis, k, p in ((1, h_key, horizontal), (0, v_key, vertical)):
        flip = jax.random.bernoulli(k, p)
        image = jnp.where(flip, jnp.flip(image, axis), image)
        mask = jnp.where(flip, jnp.flip(mask, axis), mask)
    return image, mask


def random_rot90(
    key: jax.Array, image: jax.Array, mask: jax.Array, *, probability: float
) -> tuple[jax.Array, jax.Array]:
    """With `probability`, turns by k * 90 degrees, k uniform in {0, 1, 2, 3}; square images."""
    apply_key, turns_key = jax.random.split(key)
    turns = jax.random.randint(turns_key, (), 0, 4)
    turns = jnp.where(jax.random.bernoulli(apply_key, probability), turns, 0)
    return rot90(image, turns), rot90(mask, turns)


def rot90(x: jax.Array, turns: jax.Array) -> jax.Array:
    """`numpy.rot90(x, turns)` for traced `turns` in {0, 1, 2, 3} and a square `x` `[S, S, ...]`.

    A quarter turn is a transposition followed by a vertical flip; half a turn is two flips.
    """
    x = jnp.where(turns % 2 == 1, jnp.swapaxes(x, 0, 1), x)
    x = jnp.where((turns == 1) | (turns == 2), jnp.flip(x, 0), x)
    return jnp.where((turns == 2) | (turns == 3), jnp.flip(x, 1), x)
