"""Gaussian kernels between all pixels of an image, as operators on maps of values.

k(i, j) = exp(-|f_i - f_j|^2 / 2) for the features f of the pixels (Kraehenbuehl and Koltun 2011,
Eq. 3): the position divided by its sigma, and, in a bilateral kernel, the guide's grey value or
colour divided by its own. A pixel is a neighbour of itself, as in the released code.

All are exact, but for `Window`: `Separable` is a product over the axes, `Grid` a product of three
factors, `Matrix` and `Blocks` hold or recompute every pair.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

NODE_STEP = 0.55
"""Distance of the nodes of `gaussian_factor` in sigmas: a relative error of 2e-7."""

NODE_MARGIN = 2.5
"""How far the nodes extend beyond the values, in sigmas: a relative error below 6e-7."""

MATRIX_PIXELS = 64 * 64
"""Up to so many pixels all pairs are held in memory, 64 MiB."""

WINDOW_SIGMAS = 2.0
"""How far a window extends to each side, in sigmas of the position."""


class Kernel(Protocol):
    """A symmetric kernel of an image with `[H, W]` pixels; a pytree of arrays."""

    def apply(self, values: jax.Array) -> jax.Array:
        """sum_j k(i, j) v_j for every pixel i: `[H, W, C]` to `[H, W, C]`, in float32."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["rows", "columns"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class Separable:
    """A kernel of positions alone.

    Attributes:
      rows: k between rows, `[H, H]`.
      columns: likewise, `[W, W]`.
    """

    rows: jax.Array
    columns: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        return _einsum("gh,xw,hwc->gxc", self.rows, self.columns, values)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["rows", "columns", "levels"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class Grid:
    """A bilateral kernel of a grey guide, by way of a grid of nodes (rows, columns, grey values).

    k(i, j) = sum over the nodes of A_i A_j B_i B_j L_i L_j, the factors of `gaussian_factor`.

    Attributes:
      rows: A, `[H, a]`.
      columns: B, `[W, b]`.
      levels: L of each pixel's grey value, `[H, l, W]`.
    """

    rows: jax.Array
    columns: jax.Array
    levels: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        spread = values[:, :, None, :] * self.columns[None, :, :, None]
        grid = _einsum("hlw,hwbc->hlbc", self.levels, spread)
        grid = _einsum("ha,hlbc->albc", self.rows, grid)
        lines = _einsum("ha,albc->hlbc", self.rows, grid)
        spread = _einsum("hlw,hlbc->hwbc", self.levels, lines)
        return (spread * self.columns[None, :, :, None]).sum(2)


@functools.partial(jax.tree_util.register_dataclass, data_fields=["pairs"], meta_fields=[])
@dataclasses.dataclass(frozen=True)
class Matrix:
    """Any kernel of a small image.

    Attributes:
      pairs: k, `[N, N]` for N pixels in row-major order.
    """

    pairs: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        flat = values.reshape(-1, values.shape[-1])
        return _einsum("ij,jc->ic", self.pairs, flat).reshape(values.shape)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["features", "sigmas"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class Blocks:
    """Any kernel of a larger image: the pairs of one row with all pixels are computed at a time.

    Attributes:
      features: f before the division by sigma, `[H, W, F]`.
      sigmas: of each feature, `[F]`.
    """

    features: jax.Array
    sigmas: jax.Array

    def apply(self, values: jax.Array) -> jax.Array:
        """As `Kernel`."""
        all_features = self.features.reshape(-1, self.features.shape[-1])
        flat = values.reshape(-1, values.shape[-1])

        def row(features: jax.Array) -> jax.Array:
            pairs = _pairs(features, all_features, self.sigmas)
            return _einsum("ij,jc->ic", pairs, flat)

        return jax.lax.map(row, self.features)


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


def position_kernel(size: tuple[int, int], sigma: float) -> Kernel:
    """exp(-|p_i - p_j|^2 / (2 sigma^2)) of positions p in pixels.

    Args:
      size: height and width.
      sigma: in pixels.
    """
    places = (jnp.arange(length, dtype=jnp.float32)[:, None] for length in size)
    rows, columns = (_pairs(place, place, jnp.full(1, sigma)) for place in places)
    return Separable(rows, columns)


def bilateral_kernel(guide: jax.Array, sigma: float, level_sigma: float) -> Kernel:
    """exp(-|p_i - p_j|^2 / (2 sigma^2) - |I_i - I_j|^2 / (2 level_sigma^2)), exact.

    A colour guide takes time in proportion to the square of the number of pixels; a grey one to
    their number.

    Args:
      guide: I, 0 to 255, `[H, W, 1]`, grey, or `[H, W, 3]`, colours.
      sigma: of positions p, in pixels.
      level_sigma: of grey values or colours.
    """
    height, width, channels = guide.shape
    if channels == 1:
        rows, columns = (
            gaussian_factor(jnp.arange(length, dtype=jnp.float32), sigma, length - 1)
            for length in (height, width)
        )
        levels = gaussian_factor(guide[..., 0].astype(jnp.float32), level_sigma, 255)
        return Grid(rows, columns, levels.swapaxes(1, 2))
    features, sigmas = _features(guide, sigma, level_sigma)
    if height * width > MATRIX_PIXELS:
        return Blocks(features, sigmas)
    flat = features.reshape(height * width, -1)
    return Matrix(_pairs(flat, flat, sigmas))


def windowed_kernel(guide: jax.Array, sigma: float, level_sigma: float, window: int) -> Kernel:
    """`bilateral_kernel` of `window` x `window` neighbours (ConvCRF: Teichmann and Cipolla 2018).

    They are so far apart that the window extends to two sigmas on each side.

    Args:
      guide: as for `bilateral_kernel`.
      sigma: likewise.
      level_sigma: likewise.
      window: K, odd, 3 or more.
    """
    half = window // 2
    dilation = max(1, round(WINDOW_SIGMAS * sigma / half))
    height, width, _ = guide.shape
    features, sigmas = _features(guide, sigma, level_sigma)
    inside = _padded(jnp.ones((height, width, 1)), window, dilation)[..., 0]
    padded = _padded(features, window, dilation)

    def to_neighbour(corner: jax.Array) -> jax.Array:
        y, x = corner[0], corner[1]
        other = jax.lax.dynamic_slice(padded, (y, x, 0), features.shape)
        squares = jnp.square((features - other) / _row(sigmas, 2)).sum(-1)
        return jnp.exp(-squares / 2) * jax.lax.dynamic_slice(inside, (y, x), (height, width))

    corners = np.stack(np.meshgrid(*2 * [np.arange(window) * dilation], indexing="ij"), -1)
    weights = jax.lax.map(to_neighbour, jnp.asarray(corners.reshape(-1, 2)))
    return Window(weights.reshape(window, window, height, width), dilation)


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
    distance = (values[..., None] - _row(nodes, values.ndim)) / sigma
    return constant * jnp.exp(-jnp.square(distance))


def _row(values: np.ndarray | jax.Array, axes: int) -> jax.Array:
    """Values `[n]` with leading axes of length 1, float32."""
    return jnp.asarray(values, jnp.float32).reshape((1,) * axes + (-1,))


def _features(guide: jax.Array, sigma: float, level_sigma: float) -> tuple[jax.Array, jax.Array]:
    """Position and colour, `[H, W, 2 + channels]`, and the sigma of each, `[2 + channels]`."""
    height, width, channels = guide.shape
    places = (jnp.arange(length, dtype=jnp.float32) for length in (height, width))
    position = jnp.stack(jnp.meshgrid(*places, indexing="ij"), -1)
    features = jnp.concatenate([position, guide.astype(jnp.float32)], -1)
    return features, jnp.array([sigma] * 2 + [level_sigma] * channels, jnp.float32)


def _pairs(first: jax.Array, second: jax.Array, sigmas: jax.Array) -> jax.Array:
    """exp(-sum_a (f_ia - f_ja)^2 / (2 sigma_a^2)), `[n, m]`.

    Args:
      first: f_i, `[n, F]`.
      second: f_j, `[m, F]`.
      sigmas: `[F]`.
    """
    squares = sum(
        jnp.square((first[:, None, axis] - second[None, :, axis]) / sigmas[axis])
        for axis in range(first.shape[1])
    )
    return jnp.exp(-squares / 2)


def _padded(values: jax.Array, window: int, dilation: int) -> jax.Array:
    """`[H, W, C]` with zeros around it as far as a window extends."""
    margin = window // 2 * dilation
    return jnp.pad(values, ((margin, margin), (margin, margin), (0, 0)))


def _einsum(formula: str, *arrays: jax.Array) -> jax.Array:
    result: jax.Array = jnp.einsum(formula, *arrays, precision="highest")
    return result
