"""Pooling of feature maps."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.models.operations import operation
from uaps_jax.models.sizes import Array, places


@operation
def max_pool_2x2(x: jax.Array) -> jax.Array:
    """2x2 max pooling with stride 2: `[B, H, W, C]` to `[B, H // 2, W // 2, C]`.

    Of equal values the first in row-major order takes the gradient, as in PyTorch; NaN counts as
    the largest. Elementwise, because the gradient of XLA's windowed form is slow, and in float64
    it is gathered from all devices.
    """
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    quads = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    top = _first_larger(quads[:, :, 0, :, 0], quads[:, :, 0, :, 1])
    bottom = _first_larger(quads[:, :, 1, :, 0], quads[:, :, 1, :, 1])
    return _first_larger(top, bottom)


def _first_larger(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.where((first >= second) | jnp.isnan(first), first, second)


@operation
def max_pool_3x3(x: jax.Array) -> jax.Array:
    """3x3 max pooling with stride 2 and padding 1: `[B, H, W, C]` to `[B, H / 2, W / 2, C]`.

    H and W are even. Of equal values the first in row-major order takes the gradient, as in
    PyTorch.
    """
    return _max_of_three(_max_of_three(x, 2), 1)


def _max_of_three(x: jax.Array, axis: int) -> jax.Array:
    """The maximum of positions 2i - 1, 2i, 2i + 1, and what lies outside is left out."""
    width = [(0, 0)] * x.ndim
    width[axis] = (1, 0)
    padded = jnp.pad(x, width, constant_values=-jnp.inf)
    size = x.shape[axis]
    before, here, after = (
        jax.lax.slice_in_dim(padded, start, start + size - 1, stride=2, axis=axis)
        for start in range(3)
    )
    return _first_larger(_first_larger(before, here), after)


@operation
def global_mean(x: jax.Array) -> jax.Array:
    """The mean of each image: `[B, H, W, C]` to `[B, 1, 1, C]`."""
    return x.mean((1, 2), keepdims=True)


def adaptive_mean(x: jax.Array, bins: int) -> jax.Array:
    """Means of `bins` x `bins` regions: `[B, H, W, C]` to `[B, bins, bins, C]`.

    Region i of n covers rows floor(i H / n) to ceil((i + 1) H / n) - 1, as in PyTorch's
    AdaptiveAvgPool2d; neighbouring regions may share a row.
    """
    rows, columns = (jnp.asarray(_averaging(size, bins), x.dtype) for size in x.shape[1:3])
    return jnp.einsum("ih,jw,bhwc->bijc", rows, columns, x, precision="highest")


def _averaging(size: int, bins: int) -> Array:
    """The matrix `[bins, size]` that averages the regions of one side."""
    region, place = places(bins)[:, None], places(size)[None]
    inside = (place >= region * size // bins) & (place < -(-(region + 1) * size // bins))
    return inside / inside.sum(1, keepdims=True)
