"""Random keys of the images of a batch and of what is drawn for each."""

from __future__ import annotations

import zlib

import jax
import jax.numpy as jnp


def image_keys(key: jax.Array, count: int) -> jax.Array:
    """A key for each image of a batch, the same whatever the batch's size."""
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.arange(count))


def named(key: jax.Array, name: str) -> jax.Array:
    """The key of that name."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
