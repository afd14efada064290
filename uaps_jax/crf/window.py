"""An approximation of a bilateral kernel: some neighbours around each pixel stand for all."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.crf.kernels import Kernel

WINDOW_SIGMAS = 2.0
"""How far a window extends to each side, in sigmas of the position."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["guide", "places"], meta_fields=["dilation"]
)
@dataclasses.dataclass(frozen=True)
class Window:
    """An approximation: K x K neighbours of each pixel, `dilation` pixels apart, stand for all.

    The kernel of one neighbour of all pixels is computed at a time, in every call: K^2 maps of it
    would be gigabytes for a photograph.

    Attributes:
      guide: grey values or colours divided by their sigma, `[channels, H, W]`.
      places: the factor of the position of each neighbour, `[K, K]`.
      dilation: in pixels.
    """

    guide: jax.Array
    places: jax.Array
    dilation: int

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`, but for the sum, which is over the neighbours only."""
        own = jnp.moveaxis(values, -1, 0)
        # Around the image the values are 0, and the guide is of no account.
        neighbours, guides = self._padded(own), self._padded(self.guide)

        def add_row(total: jax.Array, row: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            start, places = row
            for number in range(places.shape[0]):
                corner = (0, start, number * self.dilation)
                guide = jax.lax.dynamic_slice(guides, corner, self.guide.shape)
                # A sum over an axis would hold its addends in memory.
                squares = sum(map(jnp.square, self.guide - guide), jnp.float32(0))
                kernel = places[number] * jnp.exp(-squares / 2)
                total += kernel[None] * jax.lax.dynamic_slice(neighbours, corner, own.shape)
            return total, None

        starts = jnp.arange(self.places.shape[0]) * self.dilation
        total, _ = jax.lax.scan(add_row, jnp.zeros_like(own), (starts, self.places))
        return jnp.moveaxis(total, 0, -1)

    def _padded(self, maps: jax.Array) -> jax.Array:
        """`[C, H, W]` with zeros around it as far as the window extends."""
        margin = self.places.shape[0] // 2 * self.dilation
        return jnp.pad(maps, ((0, 0), (margin, margin), (margin, margin)))


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
    factor = np.exp(-np.square(np.arange(-half, half + 1) * dilation / sigma) / 2)
    places = jnp.asarray(np.outer(factor, factor), jnp.float32)
    scaled = jnp.moveaxis(guide.astype(jnp.float32), -1, 0) / level_sigma
    return Window(scaled, places, dilation)
