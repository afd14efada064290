"""The operations of `uaps_jax.models.operations` as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from uaps_jax.inference.onnx_file.convolutions import convolution_attributes
from uaps_jax.inference.onnx_file.rules import Equation, Rule
from uaps_jax.inference.onnx_file.values import Convolution, Scope, Shape, Tensor, Value
from uaps_jax.models import depthwise, efficientnet_lite, layers, pooling, resize


def _operator(name: str, **attributes: Any) -> Rule:
    def rule(scope: Scope, equation: Equation) -> Value:
        x, out = equation.full(scope), equation.output
        return Tensor(scope.graph.add(name, x.name, **attributes), out.shape)

    return rule


def _leaky_relu(scope: Scope, equation: Equation) -> Value:
    return _operator("LeakyRelu", alpha=layers.LEAKY_SLOPE)(scope, equation)


def _relu6(scope: Scope, equation: Equation) -> Value:
    bounds = (scope.graph.constant(bound, np.float32) for bound in (0, 6))
    x = equation.full(scope)
    return Tensor(scope.graph.add("Clip", x.name, *bounds), x.shape)


def _depthwise(scope: Scope, equation: Equation) -> Value:
    operation = equation.operation
    kernel = equation.values[1]
    if operation is None or not isinstance(kernel, np.ndarray):
        raise equation.refusal("with a computed kernel")
    stride, padding = operation.arguments["stride"], operation.arguments["padding"]
    channels = kernel.shape[-1]
    return Convolution(
        operator="Conv",
        x=equation.full(scope).name,
        kernel=kernel.astype(np.float64).transpose(2, 0, 1)[:, None],
        bias=np.zeros(channels),
        axis=0,
        attributes=convolution_attributes(
            equation, [padding] * 2, strides=[stride] * 2, dilations=[1, 1], group=channels
        ),
        shape=equation.output.shape,
    )


def _resize(scope: Scope, equation: Equation) -> Value:
    """By whole factors where the sizes have them; else to a size that is computed."""
    x, shape = equation.full(scope), equation.output.shape
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
