"""Random keys per image and per name."""

from __future__ import annotations

import zlib

import jax
import jax.numpy as jnp


def image_keys(key: jax.Array, count: int) -> jax.Array:
    """A key for each image of a batch, independent of the size of the batch."""
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.arange(count))


def named(key: jax.Array, name: str) -> jax.Array:
    """The key folded with the crc32 of a name."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
