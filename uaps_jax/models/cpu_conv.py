"""Convolutions in the forms that XLA's CPU backend computes fastest.

The sums are those of the plain convolution, rearranged because XLA's kernels are fast from 32
output channels on:

- few output channels: neighbouring pixels of a row become channels of one strided convolution
  (1/3 of the time for 4 channels, 4/5 for 16);
- kernel gradient with fewer output than input channels: image and gradient are swapped (1/2);
- 1x1 kernels: matrix products.

Other convolutions and other backends use XLA's own. The times were measured on two AVX-512 cores;
`benchmarks/` describes other attempts.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

NARROW = 16  # output channels up to which the rearranged forms are faster
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def conv_general_dilated(
    inputs: jax.Array,
    kernel: jax.Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    *,
    dimension_numbers: lax.ConvDimensionNumbers,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    feature_group_count: int = 1,
    precision: lax.Precision | None = None,
) -> jax.Array:
    """`lax.conv_general_dilated` as `flax.linen.Conv` calls it, in the fastest form there is."""
    if (
        jax.default_backend() == "cpu"
        and dimension_numbers == lax.conv_dimension_numbers(inputs.shape, kernel.shape, DIMENSIONS)
        and precision is None
        and covers(
            kernel.shape, window_strides, padding, lhs_dilation, rhs_dilation, feature_group_count
        )
    ):
        return _conv(inputs, kernel)
    return lax.conv_general_dilated(
        inputs,
        kernel,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        dimension_numbers,
        feature_group_count,
        precision=precision,
    )


def covers(
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    groups: int,
) -> bool:
    """Whether the functions below apply: kernel 1x1 or 3x3, stride 1, same-size padding."""
    size = kernel[0]
    dilated = {*(lhs_dilation or ()), *(rhs_dilation or ())} - {1}
    return (
        tuple(kernel[:2]) in ((1, 1), (3, 3))
        and tuple(strides) == (1, 1)
        and tuple(padding) == ((size // 2, size // 2),) * 2
        and not dilated
        and groups == 1
    )


def forward(x: jax.Array, w: jax.Array) -> jax.Array:
    """`[B, H, W, C_in]` and `[k, k, C_in, C_out]`, k = 1 or 3, to `[B, H, W, C_out]`."""
    if w.shape[0] == 1:
        return jnp.einsum("bhwi,io->bhwo", x, w[0, 0])
    inputs, outputs = w.shape[2:]
    together = 4 if outputs < NARROW else 2 if outputs == NARROW else 1
    while x.shape[2] % together:
        together //= 2
    wide = jnp.zeros((3, 2 + together, inputs, together, outputs), w.dtype)
    for pixel in range(together):
        wide = wide.at[:, pixel : pixel + 3, :, pixel].set(w)
    y = lax.conv_general_dilated(
        x,
        wide.reshape(3, 2 + together, inputs, together * outputs),
        (1, together),
        ((1, 1), (1, 1)),
        dimension_numbers=DIMENSIONS,
    )
    return y.reshape(*x.shape[:3], outputs)


def input_gradient(w: jax.Array, g: jax.Array) -> jax.Array:
    """Gradient by the images; `g` `[B, H, W, C_out]` is the gradient by the output."""
    return forward(g, w[::-1, ::-1].swapaxes(2, 3))


def kernel_gradient(x: jax.Array, w: jax.Array, g: jax.Array) -> jax.Array:
    """Gradient by the kernel, in the kernel's shape."""
    if w.shape[0] == 1:
        return jnp.einsum("bhwi,bhwo->io", x, g)[None, None]
    if w.shape[3] < w.shape[2] and w.shape[3] <= NARROW:
        return _correlate(g, x)[::-1, ::-1].swapaxes(2, 3)
    return _correlate(x, g)


def _correlate(x: jax.Array, g: jax.Array) -> jax.Array:
    """The sum over all pixels of `x` at an offset of -1, 0, 1 times `g`: `[3, 3, C_x, C_g]`."""
    return lax.conv_general_dilated(
        x,
        g,
        (1, 1),
        ((1, 1), (1, 1)),
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )


@jax.custom_vjp
def _conv(x: jax.Array, w: jax.Array) -> jax.Array:
    """The convolution; XLA's own form where no gradient is taken, which cost.macs counts."""
    around = w.shape[0] // 2
    return lax.conv_general_dilated(
        x, w, (1, 1), ((around, around),) * 2, dimension_numbers=DIMENSIONS
    )


def _conv_forward(x: jax.Array, w: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return forward(x, w), (x, w)


def _conv_backward(
    residuals: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, w = residuals
    return input_gradient(w, g), kernel_gradient(x, w, g)


_conv.defvjp(_conv_forward, _conv_backward)
