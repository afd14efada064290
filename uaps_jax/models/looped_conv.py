"""A convolution that stays a plain convolution under `jax.vmap`.

`jax.vmap` over both operands of a convolution gives one *grouped* convolution, which is about
10 times slower in XLA on CPUs and which its SPMD partitioner gathers over the batch
(openxla/xla#47945). Here the batching rule runs the entries of the mapped axis one after another
and stacks the results, in the forward pass and in both gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from uaps_jax.models import cpu_conv


def looped_conv(
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
    """Computes `lax.conv_general_dilated`, with the signature `flax.linen.Conv` expects.

    Args:
      inputs: `[B, H, W, C_in]` (or as `dimension_numbers` says).
      kernel: `[kh, kw, C_in, C_out]` (likewise).
      window_strides: stride per spatial axis.
      padding: `(low, high)` per spatial axis.
      dimension_numbers: layout of the operands.
      lhs_dilation: dilation of the input per spatial axis.
      rhs_dilation: dilation of the kernel per spatial axis.
      feature_group_count: groups of the plain convolution.
      precision: as in `lax.conv_general_dilated`.

    Returns:
      The convolved array; under `vmap`, entries are convolved one by one.
    """
    plain = functools.partial(
        lax.conv_general_dilated,
        window_strides=tuple(window_strides),
        padding=tuple(padding),
        lhs_dilation=None if lhs_dilation is None else tuple(lhs_dilation),
        rhs_dilation=None if rhs_dilation is None else tuple(rhs_dilation),
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        precision=precision,
    )

    usual = lax.conv_dimension_numbers(inputs.shape, kernel.shape, cpu_conv.DIMENSIONS)
    tuned = (
        jax.default_backend() == "cpu"
        and dimension_numbers == usual
        and precision is None
        and cpu_conv.covers(
            kernel.shape, window_strides, padding, lhs_dilation, rhs_dilation, feature_group_count
        )
    )

    # `custom_vmap` cannot be differentiated, so it is inside a `custom_vjp`. Both gradients
    # are linear transposes of the convolution and need no forward computation.
    @_entry_by_entry
    def input_gradient(x: jax.Array, w: jax.Array, g: jax.Array) -> jax.Array:
        if tuned:
            return cpu_conv.input_gradient(w, g)
        return jax.linear_transpose(lambda x_: plain(x_, w), x)(g)[0]

    @_entry_by_entry
    def kernel_gradient(x: jax.Array, w: jax.Array, g: jax.Array) -> jax.Array:
        if tuned:
            return cpu_conv.kernel_gradient(x, w, g)
        return jax.linear_transpose(lambda w_: plain(x, w_), w)(g)[0]

    @jax.custom_vjp
    def conv(x: jax.Array, w: jax.Array) -> jax.Array:
        return _entry_by_entry(plain)(x, w)

    def conv_forward(x: jax.Array, w: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return _entry_by_entry(cpu_conv.forward if tuned else plain)(x, w), (x, w)

    def conv_backward(
        residuals: tuple[jax.Array, jax.Array], g: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        x, w = residuals
        return input_gradient(x, w, g), kernel_gradient(x, w, g)

    conv.defvjp(conv_forward, conv_backward)
    return conv(inputs, kernel)


def _entry_by_entry(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Gives `function` a vmap rule that loops over the entries and stacks their results."""
    mapped = jax.custom_batching.custom_vmap(function)

    def rule(
        axis_size: int, in_batched: Sequence[bool], *args: jax.Array
    ) -> tuple[jax.Array, bool]:
        entries = [
            mapped(*(a[k] if batched else a for a, batched in zip(args, in_batched, strict=True)))
            for k in range(axis_size)
        ]
        return jnp.stack(entries), True

    mapped.def_vmap(rule)
    return mapped
