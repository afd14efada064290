"""A Gaussian of positions alone: a product over the two axes."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.crf.kernels import Kernel

REACH = 6.0
"""How far `Separable` extends to each side, in sigmas; beyond, k is below 2e-8."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["rows", "columns"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class Separable:
    """A kernel of positions alone.

    Attributes:
      rows: k between rows by their distance, from -r to r, `[2r + 1]`.
      columns: likewise, `[2s + 1]`.
    """

    rows: jax.Array
    columns: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        return _correlated(_correlated(values, self.rows, 0), self.columns, 1)


def position_kernel(size: tuple[int, int], sigma: float) -> Kernel:
    """exp(-|p_i - p_j|^2 / (2 sigma^2)) of positions p in pixels.

    Args:
      size: height and width.
      sigma: in pixels.
    """
    reaches = (min(math.ceil(REACH * sigma), length - 1) for length in size)
    distances = (np.arange(-reach, reach + 1) / sigma for reach in reaches)
    rows, columns = (jnp.asarray(np.exp(-(d**2) / 2), jnp.float32) for d in distances)
    return Separable(rows, columns)


def _correlated(values: jax.Array, weights: jax.Array, axis: int) -> jax.Array:
    """sum_d w_d v(i + d) along an axis, with zeros beyond the ends; `weights` `[2r + 1]`."""
    reach, length = weights.shape[0] // 2, values.shape[axis]
    margins = [(reach, reach) if a == axis else (0, 0) for a in range(values.ndim)]
    padded = jnp.pad(values, margins)

    def add(total: jax.Array, item: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        start, weight = item
        return total + weight * jax.lax.dynamic_slice_in_dim(padded, start, length, axis), None

    starts = jnp.arange(weights.shape[0])
    return jax.lax.scan(add, jnp.zeros_like(values), (starts, weights))[0]
