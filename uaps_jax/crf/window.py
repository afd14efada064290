"""An approximation of a bilateral kernel: some neighbours around each pixel stand for all."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.crf.kernels import Kernel
from uaps_jax.crf.pairs import features_of

WINDOW_SIGMAS = 2.0
"""How far a window extends to each side, in sigmas of the position."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["weights"], meta_fields=["dilation"]
)
@dataclasses.dataclass(frozen=True)
class Window:
    """An approximation: K x K neighbours of each pixel, `dilation` pixels apart, stand for all.

    Attributes:
      weights: k to each neighbour, 0 outside of the image, `[K, K, H, W]`.
      dilation: in pixels.
    """

    weights: jax.Array
    dilation: int

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`, but for the sum, which is over the neighbours only."""
        height, width, classes = values.shape
        padded = _padded(values, self.weights.shape[0], self.dilation)

        def add_row(total: jax.Array, row: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            start, weights = row
            for number in range(weights.shape[0]):
                corner = (start, number * self.dilation, 0)
                part = jax.lax.dynamic_slice(padded, corner, (height, width, classes))
                total = total + weights[number][..., None] * part
            return total, None

        starts = jnp.arange(self.weights.shape[0]) * self.dilation
        return jax.lax.scan(add_row, jnp.zeros_like(values), (starts, self.weights))[0]


def windowed_kernel(guide: jax.Array, sigma: float, level_sigma: float, window: int) -> Kernel:
    """`pairs_kernel` of `window` x `window` neighbours (ConvCRF: Teichmann and Cipolla 2018).

    They are so far apart that the window extends to two sigmas on each side.

    Args:
      guide: as for `pairs_kernel`.
      sigma: likewise.
      level_sigma: likewise.
      window: K, odd, 3 or more.
    """
    half = window // 2
    dilation = max(1, round(WINDOW_SIGMAS * sigma / half))
    height, width, _ = guide.shape
    features, sigmas = features_of(guide, sigma, level_sigma)
    inside = _padded(jnp.ones((height, width, 1)), window, dilation)[..., 0]
    padded = _padded(features, window, dilation)

    def to_neighbour(corner: jax.Array) -> jax.Array:
        y, x = corner[0], corner[1]
        other = jax.lax.dynamic_slice(padded, (y, x, 0), features.shape)
        squares = jnp.square((features - other) / sigmas[None, None]).sum(-1)
        return jnp.exp(-squares / 2) * jax.lax.dynamic_slice(inside, (y, x), (height, width))

    corners = np.stack(np.meshgrid(*2 * [np.arange(window) * dilation], indexing="ij"), -1)
    weights = jax.lax.map(to_neighbour, jnp.asarray(corners.reshape(-1, 2)))
    return Window(weights.reshape(window, window, height, width), dilation)


def _padded(values: jax.Array, window: int, dilation: int) -> jax.Array:
    """`[H, W, C]` with zeros around it as far as a window extends."""
    margin = window // 2 * dilation
    return jnp.pad(values, ((margin, margin), (margin, margin), (0, 0)))
