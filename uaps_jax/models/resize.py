"""Bilinear resizing with aligned corners (PyTorch, `align_corners=True`)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.models.operations import operation
from uaps_jax.models.sizes import Array, places


def resize(x: jax.Array, height: int, width: int) -> jax.Array:
    """`[B, h, w, C]` to `[B, height, width, C]`.

    Of n outputs, output i reads position i (m - 1) / (n - 1) of the m inputs.
    """
    if x.shape[1:3] == (height, width):
        return x
    wide = jnp.promote_types(x.dtype, jnp.float32)
    rows, columns = (
        jnp.asarray(_interpolation(size, wanted), wide)
        for size, wanted in zip(x.shape[1:3], (height, width), strict=True)
    )
    return interpolate(x, rows, columns)


@operation
def interpolate(x: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """`[B, h, w, C]` to `[B, height, width, C]`, with aligned corners.

    Args:
      x: the array.
      rows: the weights of the inputs for every output, `[height, h]`, float32 or wider.
      columns: likewise, `[width, w]`.
    """
    # In a narrower type, rounded weights would not add up to one.
    wide = x.astype(rows.dtype)
    y = jnp.einsum("oh,bhwc->bowc", rows, wide, precision="highest")
    y = jnp.einsum("pw,bowc->bopc", columns, y, precision="highest")
    return y.astype(x.dtype)


def _interpolation(size: int, wanted: int) -> Array:
    """The matrix `[wanted, size]` of the weights of one side; a row has two entries at most."""
    place, output = places(size)[None], places(wanted)[:, None]
    last = output.max().clip(1)
    before = output * (size - 1) // last
    share = (output * (size - 1) - before * last) / last
    return (place == before) * (1 - share) + (place == before + 1) * share


@operation
def upsample(x: jax.Array) -> jax.Array:
    """Bilinear upsampling by 2 with aligned corners: `[B, H, W, C]` to `[B, 2H, 2W, C]`.

    Output i reads position i (n - 1) / (2n - 1) (PyTorch, `align_corners=True`): the even ones
    lie i / (2n - 1) below pixel i, the odd ones (n - 1 - i) / (2n - 1) above it.
    """
    # In a narrower type, rounded weights would not add up to one.
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return _double(_double(wide, 1), 2).astype(x.dtype)


def _double(x: jax.Array, axis: int) -> jax.Array:
    size = x.shape[axis]
    form = tuple(size if a == axis else 1 for a in range(x.ndim))
    position = places(size)
    below = jnp.asarray(position / (2 * size - 1), x.dtype).reshape(form)
    above = jnp.asarray((size - 1 - position) / (2 * size - 1), x.dtype).reshape(form)
    first, last = (jax.lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, size - 1))
    before = jnp.concatenate([first, jax.lax.slice_in_dim(x, 0, size - 1, axis=axis)], axis)
    after = jnp.concatenate([jax.lax.slice_in_dim(x, 1, size, axis=axis), last], axis)
    even, odd = x + below * (before - x), x + above * (after - x)
    doubled = (*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
    return jnp.stack([even, odd], axis + 1).reshape(doubled)
