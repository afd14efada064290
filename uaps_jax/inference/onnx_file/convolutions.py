"""Convolutions and pooling windows of JAX as ONNX operators."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from uaps_jax.inference.onnx_file.rules import Equation, Rule
from uaps_jax.inference.onnx_file.values import Convolution, Scope, Tensor, Value, stored


def _convolution(scope: Scope, equation: Equation) -> Value:
    numbers, kernel = equation.parameters["dimension_numbers"], equation.values[1]
    if not isinstance(kernel, np.ndarray):
        raise equation.refusal("with a computed kernel")
    if equation.parameters["batch_group_count"] != 1:
        raise equation.refusal("with groups of the batch")
    x = equation.full(scope)
    rank = len(x.shape)
    kernel = kernel.transpose(numbers.rhs_spec).astype(np.float64)  # output channels first
    made = Convolution(
        operator="Conv",
        x=scope.transposed(x.name, stored(rank), numbers.lhs_spec),
        kernel=kernel,
        bias=np.zeros(kernel.shape[0]),
        axis=0,
        attributes={},
        shape=equation.output.shape,
    )
    if set(equation.parameters["lhs_dilation"]) == {1}:
        made = dataclasses.replace(made, attributes=_attributes(equation))
    else:
        made = dataclasses.replace(
            made,
            operator="ConvTranspose",
            kernel=np.flip(kernel, tuple(range(2, rank))).swapaxes(0, 1),
            axis=1,
            attributes=_transposed_attributes(equation, kernel.shape[2:]),
        )
    if rank == 4 and tuple(numbers.out_spec) == stored(rank):
        return made
    return Tensor(scope.arranged(scope.tensor(made).name, numbers.out_spec), made.shape)


def _attributes(equation: Equation) -> Mapping[str, Any]:
    parameters = equation.parameters
    return convolution_attributes(
        equation,
        parameters["padding"],
        strides=parameters["window_strides"],
        dilations=parameters["rhs_dilation"],
        group=parameters["feature_group_count"],
    )


def convolution_attributes(
    equation: Equation,
    padding: Sequence[tuple[int, int]],
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> Mapping[str, Any]:
    """The attributes of a convolution that differ from ONNX's defaults."""
    pads = [*(low for low, _ in padding), *(high for _, high in padding)]
    if min(pads) < 0:
        raise equation.refusal("with negative padding")
    several: dict[str, Sequence[int]] = {"strides": strides, "dilations": dilations}
    attributes: dict[str, Any] = {n: list(v) for n, v in several.items() if set(v) != {1}}
    if any(pads):
        attributes["pads"] = pads
    if group != 1:
        attributes["group"] = group
    return attributes


def _transposed_attributes(equation: Equation, kernel: Sequence[int]) -> Mapping[str, Any]:
    """Of a convolution of spread inputs; ONNX counts padding from the full overlap.

    Args:
      equation: the convolution.
      kernel: size of its window.
    """
    parameters = equation.parameters
    if parameters["feature_group_count"] != 1 or set(parameters["window_strides"]) != {1}:
        raise equation.refusal("of spread inputs in groups or strides")
    dilations = parameters["rhs_dilation"]
    overlaps = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    pairs = list(zip(overlaps, parameters["padding"], strict=True))
    starts, ends = (
        [full - low for full, (low, _) in pairs],
        [full - high for full, (_, high) in pairs],
    )
    strides = parameters["lhs_dilation"]
    beyond = [max(0, -end) for end in ends]
    if min(starts) < 0 or any(b >= s for b, s in zip(beyond, strides, strict=True)):
        raise equation.refusal("of spread inputs with this padding")
    return {
        "strides": list(strides),
        "dilations": list(dilations),
        "pads": [*starts, *(max(0, end) for end in ends)],
        "output_padding": beyond,
    }


def _maximum(scope: Scope, equation: Equation) -> Value:
    return _window(scope, equation, "MaxPool", equation.parameters["window_dilation"][1:3])


def _sum(scope: Scope, equation: Equation) -> Value:
    """The mean, padding included, times the size of the window."""
    if set(equation.parameters["window_dilation"]) != {1}:
        raise equation.refusal("with dilation")
    mean = _window(scope, equation, "AveragePool", count_include_pad=1)
    count = scope.graph.constant(math.prod(equation.parameters["window_dimensions"]), np.float32)
    return Tensor(scope.graph.add("Mul", mean.name, count), mean.shape)


def _window(
    scope: Scope,
    equation: Equation,
    operator: str,
    dilations: Sequence[int] = (1, 1),
    **attributes: Any,
) -> Tensor:
    """A window over the height and width of `[B, H, W, C]`."""
    parameters = equation.parameters
    window, padding = parameters["window_dimensions"], parameters["padding"]
    is_spatial = len(window) == 4 and window[0] == window[3] == 1
    if not is_spatial or set(parameters["base_dilation"]) != {1} or any(padding[0] + padding[3]):
        raise equation.refusal("over other axes than height and width")
    attributes |= convolution_attributes(
        equation,
        padding[1:3],
        strides=parameters["window_strides"][1:3],
        dilations=dilations,
        group=1,
    )
    x = equation.full(scope)
    name = scope.graph.add(operator, x.name, kernel_shape=list(window[1:3]), **attributes)
    return Tensor(name, equation.output.shape)


RULES: Mapping[str, Rule] = {
    "conv_general_dilated": _convolution,
    "reduce_window_max": _maximum,
    "reduce_window_sum": _sum,
}
