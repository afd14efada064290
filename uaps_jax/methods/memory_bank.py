"""Banks of features, one of every class, in a method's memory: the newest replace the oldest.

The banks are one array `[C * size, D]`, that of class c in the rows from c * size on. The places in
the state say which row of each bank is written next. Features are unit vectors, chosen from the
whole batch, of all devices, and every device has a copy of the banks. A row of zeros is empty.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.methods.base import Write


def memory(classes: int, size: int, channels: int) -> np.ndarray:
    """Empty banks."""
    return np.zeros((classes * size, channels), np.float32)


def first_places(classes: int) -> np.ndarray:
    """The places in empty banks, int32 `[C]`."""
    return np.zeros(classes, np.int32)


def written(
    key: jax.Array, places: jax.Array, features: jax.Array, members: jax.Array, size: int, most: int
) -> tuple[Write, jax.Array]:
    """Up to `most` random members of each class, without replacement, and the new places.

    Args:
      key: of this step.
      places: before the step.
      features: unit vectors `[N, D]`, without gradient.
      members: boolean `[C, N]`.
      size: of a bank.
      most: at most `size`.
    """
    classes, pixels = members.shape
    most = min(most, pixels)
    scores = jnp.where(members, jax.random.uniform(key, members.shape), -1.0)
    _, chosen = jax.lax.top_k(scores, most)  # members come first
    count = jnp.minimum(members.sum(1, dtype=jnp.int32), most)
    order = jnp.arange(most, dtype=jnp.int32)[None]
    row = (places[:, None] + order) % size
    bank = jnp.arange(classes, dtype=jnp.int32)[:, None] * size
    at = jnp.where(order < count[:, None], bank + row, classes * size)
    return Write(at.reshape(-1), features[chosen.reshape(-1)]), (places + count) % size


def banks(array: jax.Array, classes: int) -> tuple[jax.Array, jax.Array]:
    """The banks `[C, size, D]` of an array in the memory, and how many rows of each are filled.

    The count is not part of the state: pieces of a batch (`train.accumulate`) read the banks from
    before the step, while the places move from piece to piece.
    """
    of_classes = array.reshape(classes, -1, array.shape[-1])
    return of_classes, (of_classes != 0).any(-1).sum(1, dtype=jnp.int32)


def draw(key: jax.Array, filled: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Rows of each bank, uniform with replacement: int32 `[C, *shape]`, 0 for an empty bank."""
    number = jnp.maximum(filled, 1).reshape(-1, 1, 1)
    return jax.random.randint(key, (len(filled), *shape), 0, number)
