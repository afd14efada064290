"""Depthwise convolutions as sums of shifted products.

XLA's CPU backend computes a convolution of one input channel per group, and above all its
gradients, many times slower than these elementwise sums.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from uaps_jax.models.operations import operation

Padding = tuple[int, int]  # rows above and below; columns left and right


class Depthwise(nn.Module):
    """A depthwise convolution without bias; its kernel is `[k, k, 1, C]`.

    Attributes:
      kernel: side of the kernel.
      stride: in both directions.
      padding: in both directions.
      dtype: compute type.
    """

    kernel: int
    stride: int
    padding: Padding
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, H', W', C]`."""
        shape = (self.kernel, self.kernel, 1, x.shape[-1])
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
        return convolve(x, kernel[:, :, 0], stride=self.stride, padding=self.padding)


@operation
def convolve(x: jax.Array, w: jax.Array, *, stride: int, padding: Padding) -> jax.Array:
    """`[B, H, W, C]` and `[k, k, C]` to `[B, H', W', C]`, every channel by its own kernel."""
    return _convolve(x, w, stride, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(x: jax.Array, w: jax.Array, stride: int, padding: Padding) -> jax.Array:
    products = (
        window * w[row, column].reshape(1, 1, 1, -1)
        for row, column, window in _windows(x, w.shape[0], stride, padding)
    )
    return functools.reduce(jnp.add, products)


def _windows(
    x: jax.Array, kernel: int, stride: int, padding: Padding
) -> Iterator[tuple[int, int, jax.Array]]:
    """Row and column of every entry of the kernel, and the pixels that it is multiplied with."""
    padded = jnp.pad(x, ((0, 0), padding, padding, (0, 0)))
    batch, height, width, channels = padded.shape
    for row in range(kernel):
        for column in range(kernel):
            yield (
                row,
                column,
                lax.slice(
                    padded,
                    (0, row, column, 0),
                    (batch, height - kernel + row + 1, width - kernel + column + 1, channels),
                    (1, stride, stride, 1),
                ),
            )


def _forward(
    x: jax.Array, w: jax.Array, stride: int, padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, w, stride, padding), (x, w)


def _backward(
    stride: int, padding: Padding, residuals: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, w = residuals
    kernel = w.shape[0]
    by_kernel = jnp.stack(
        [(window * g).sum((0, 1, 2)) for _, _, window in _windows(x, kernel, stride, padding)]
    ).reshape(w.shape)
    # The gradient at a distance of the stride, and zeros up to the size of the images and around.
    low = kernel - 1 - padding[0]
    edges = [
        (low, size + kernel - 1 - low - (out - 1) * stride - 1, stride - 1)
        for size, out in zip(x.shape[1:3], g.shape[1:3], strict=True)
    ]
    spread = lax.pad(g, jnp.zeros((), g.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    return _convolve(spread, w[::-1, ::-1], 1, (0, 0)), by_kernel


_convolve.defvjp(_forward, _backward)
