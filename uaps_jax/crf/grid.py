"""A bilateral kernel of a grey guide, exact up to rounding, in time linear in the pixels."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.crf.kernels import Kernel

NODE_STEP = 0.55
"""Distance of the nodes of `gaussian_factor` in sigmas: a relative error of 2e-7."""

NODE_MARGIN = 2.5
"""How far the nodes extend beyond the values, in sigmas: a relative error below 6e-7."""

GRID_ROWS = 16
"""Rows of an image that `Grid` works on at a time, to save memory."""


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["rows", "columns", "guide"],
    meta_fields=["level_sigma"],
)
@dataclasses.dataclass(frozen=True)
class Grid:
    """A bilateral kernel of a grey guide, by way of a grid of nodes (rows, columns, grey values).

    k(i, j) = sum over the nodes of A_i A_j B_i B_j L_i L_j, the factors of `gaussian_factor`. L has
    dozens of numbers for every pixel and is computed anew for some rows at a time.

    Attributes:
      rows: A, `[H, a]`.
      columns: B, `[W, b]`.
      guide: grey values, from which L follows, `[H, W]`.
      level_sigma: of grey values.
    """

    rows: jax.Array
    columns: jax.Array
    guide: jax.Array
    level_sigma: float

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        columns = self.columns[:, :, None]

        def to_grid(row: tuple[jax.Array, jax.Array]) -> jax.Array:
            guide, v = row
            return _einsum("wl,wbc->lbc", self._levels(guide), columns * v[:, None])

        def from_grid(row: tuple[jax.Array, jax.Array]) -> jax.Array:
            guide, line = row
            return (columns * _einsum("wl,lbc->wbc", self._levels(guide), line)).sum(1)

        lines = jax.lax.map(to_grid, (self.guide, values), batch_size=GRID_ROWS)
        grid = _einsum("ha,hlbc->albc", self.rows, lines)
        lines = _einsum("ha,albc->hlbc", self.rows, grid)
        return jax.lax.map(from_grid, (self.guide, lines), batch_size=GRID_ROWS)

    def _levels(self, guide: jax.Array) -> jax.Array:
        """L of a row of grey values, `[W]` to `[W, l]`."""
        return gaussian_factor(guide, self.level_sigma, 255)


def grid_kernel(guide: jax.Array, sigma: float, level_sigma: float) -> Kernel:
    """exp(-|p_i - p_j|^2 / (2 sigma^2) - (I_i - I_j)^2 / (2 level_sigma^2)).

    Args:
      guide: I, grey values from 0 to 255, `[H, W, 1]`.
      sigma: of positions p, in pixels.
      level_sigma: of grey values.
    """
    rows, columns = (
        gaussian_factor(jnp.arange(length, dtype=jnp.float32), sigma, length - 1)
        for length in guide.shape[:2]
    )
    return Grid(rows, columns, guide[..., 0].astype(jnp.float32), level_sigma)


def gaussian_factor(values: jax.Array, sigma: float, largest: float) -> jax.Array:
    """phi with exp(-(x - y)^2 / (2 sigma^2)) = sum_n phi_n(x) phi_n(y) for all x, y of the values.

    The Gaussian is the integral of exp(-((x - t)^2 + (y - t)^2) / sigma^2) over t, but for a
    constant. The sum over evenly spaced nodes t_n differs from it by a factor between 1 - e and
    1 + e, e = 2 exp(-pi^2 / (2 NODE_STEP^2)) = 2e-7. All factors are positive, so that nothing
    cancels.

    Args:
      values: 0 to `largest`, of any shape.
      sigma: positive.
      largest: bound of the values.

    Returns:
      `[..., n]`, float32.
    """
    count = math.ceil((largest / sigma + 2 * NODE_MARGIN) / NODE_STEP) + 1
    nodes = largest / 2 + (np.arange(count) - (count - 1) / 2) * NODE_STEP * sigma
    constant = math.sqrt(NODE_STEP * math.sqrt(2 / math.pi))
    row = jnp.asarray(nodes, jnp.float32).reshape((1,) * values.ndim + (-1,))
    distance = (values[..., None] - row) / sigma
    return constant * jnp.exp(-jnp.square(distance))


def _einsum(formula: str, *arrays: jax.Array) -> jax.Array:
    result: jax.Array = jnp.einsum(formula, *arrays, precision="highest")
    return result
