"""The operations of `uaps_jax.models.operations` as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from uaps_jax.inference.onnx_convolutions import convolution_attributes
from uaps_jax.inference.onnx_rules import Rule, refusal
from uaps_jax.inference.onnx_values import Convolution, Scope, Shape, Tensor, Value
from uaps_jax.models import depthwise, efficientnet_lite, layers, operations, pooling, resize


def _operator(name: str, **attributes: Any) -> Rule:
    def rule(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
        x, out = _input(scope, equation, values), equation.outvars[0].aval
        return Tensor(scope.graph.add(name, x.name, **attributes), out.shape)

    return rule


def _input(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Tensor:
    return scope.full(values[0], equation.invars[0].aval.shape)


def _leaky_relu(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    return _operator("LeakyRelu", alpha=layers.LEAKY_SLOPE)(scope, equation, values)


def _relu6(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    bounds = (scope.graph.constant(bound, np.float32) for bound in (0, 6))
    x = _input(scope, equation, values)
    return Tensor(scope.graph.add("Clip", x.name, *bounds), x.shape)


def _depthwise(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    operation = operations.of(equation)
    kernel = values[1]
    if operation is None or not isinstance(kernel, np.ndarray):
        raise refusal(equation, "with a computed kernel")
    stride, padding = operation.arguments["stride"], operation.arguments["padding"]
    channels = kernel.shape[-1]
    return Convolution(
        operator="Conv",
        x=_input(scope, equation, values).name,
        kernel=kernel.astype(np.float64).transpose(2, 0, 1)[:, None],
        bias=np.zeros(channels),
        axis=0,
        attributes=convolution_attributes(
            equation, [padding] * 2, strides=[stride] * 2, dilations=[1, 1], group=channels
        ),
        shape=equation.outvars[0].aval.shape,
    )


def _resize(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    """By whole factors where the sizes have them; else to a size that is computed."""
    x, shape = _input(scope, equation, values), equation.outvars[0].aval.shape
    factors = _factors(x.shape, shape)
    if factors:
        target = [scope.graph.constant([1, 1, *factors], np.float32)]
    else:
        batch, height, width, channels = shape
        target = ["", scope.sizes.vector([batch, channels, height, width])]
    name = scope.graph.add(
        "Resize",
        x.name,
        "",
        *target,
        mode="linear",
        coordinate_transformation_mode="align_corners",
    )
    return Tensor(name, shape)


def _factors(before: Shape, after: Shape) -> tuple[int, int] | None:
    """The whole factors of height and width; None if there are none for every size."""
    sizes = list(zip(before[1:3], after[1:3], strict=True))
    if any(jax.export.is_symbolic_dim(wanted % size) or wanted % size for size, wanted in sizes):
        return None
    rows, columns = (wanted // size for size, wanted in sizes)
    if jax.export.is_symbolic_dim(rows) or jax.export.is_symbolic_dim(columns):
        return None
    return int(rows), int(columns)


RULES: Mapping[Callable[..., jax.Array], Rule] = {
    depthwise.convolve: _depthwise,
    efficientnet_lite.relu6: _relu6,
    layers.leaky_relu: _leaky_relu,
    pooling.global_mean: _operator("GlobalAveragePool"),
    pooling.max_pool_2x2: _operator("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    pooling.max_pool_3x3: _operator(
        "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    resize.interpolate: _resize,
    resize.upsample: _resize,
}
"""By the function under `operation`; other operations are walked into."""
