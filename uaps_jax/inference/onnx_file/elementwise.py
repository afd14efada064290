"""Elementwise primitives of JAX as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import helper

from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.onnx_file.rules import Equation, Rule
from uaps_jax.inference.onnx_file.values import Convolution, Scope, Tensor, Value, joined

Emit = Callable[..., str]
"""`(graph, *names of the inputs)` to the name of the output."""


def onnx_type(dtype: Any) -> int:
    """ONNX's number of a type."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def elementwise(emit: Emit) -> Rule:
    """The rule of a primitive whose output has the shape of its inputs."""
    return lambda scope, equation: apply(emit, scope, equation.values)


def apply(emit: Emit, scope: Scope, values: Sequence[Value]) -> Tensor:
    """An operator of arrays that are broadcast against each other."""
    tensors = [scope.tensor(value) for value in values]
    name = emit(scope.graph, *(tensor.name for tensor in tensors))
    return Tensor(name, joined([tensor.shape for tensor in tensors]))


def _operator(name: str, **attributes: Any) -> Emit:
    return lambda graph, *inputs: graph.add(name, *inputs, **attributes)


def _one(graph: Graph) -> str:
    return graph.constant(1, np.float32)


EMITTERS: Mapping[str, Emit] = {
    "abs": _operator("Abs"),
    "add": _operator("Add"),
    "add_any": _operator("Add"),
    "ceil": _operator("Ceil"),
    "cos": _operator("Cos"),
    "div": _operator("Div"),
    "eq": _operator("Equal"),
    "erf": _operator("Erf"),
    "erfc": lambda graph, x: graph.add("Sub", _one(graph), graph.add("Erf", x)),
    "exp": _operator("Exp"),
    "expm1": lambda graph, x: graph.add("Sub", graph.add("Exp", x), _one(graph)),
    "floor": _operator("Floor"),
    "ge": _operator("GreaterOrEqual"),
    "gt": _operator("Greater"),
    "le": _operator("LessOrEqual"),
    "log": _operator("Log"),
    "log1p": lambda graph, x: graph.add("Log", graph.add("Add", x, _one(graph))),
    "logistic": _operator("Sigmoid"),
    "lt": _operator("Less"),
    "max": _operator("Max"),
    "min": _operator("Min"),
    "mul": _operator("Mul"),
    "ne": lambda graph, x, y: graph.add("Not", graph.add("Equal", x, y)),
    "neg": _operator("Neg"),
    "pow": _operator("Pow"),
    "rem": _operator("Mod", fmod=1),
    "rsqrt": lambda graph, x: graph.add("Reciprocal", graph.add("Sqrt", x)),
    "sign": _operator("Sign"),
    "sin": _operator("Sin"),
    "sqrt": _operator("Sqrt"),
    "square": lambda graph, x: graph.add("Mul", x, x),
    "sub": _operator("Sub"),
    "tanh": _operator("Tanh"),
}
BOOLEAN = {"and": "And", "not": "Not", "or": "Or", "xor": "Xor"}


def _boolean(scope: Scope, equation: Equation) -> Value:
    if equation.output.dtype != bool:
        raise equation.refusal("of whole numbers")
    return apply(_operator(BOOLEAN[equation.primitive]), scope, equation.values)


def _integer_pow(scope: Scope, equation: Equation) -> Value:
    power = np.asarray(equation.parameters["y"], equation.output.dtype)
    return apply(EMITTERS["pow"], scope, [*equation.values, power])


def _select(scope: Scope, equation: Equation) -> Value:
    if len(equation.values) != 3 or equation.inputs[0].dtype != bool:
        raise equation.refusal("of more than two cases")
    where, no, yes = equation.values
    return apply(_operator("Where"), scope, [where, yes, no])


def _clamp(scope: Scope, equation: Equation) -> Value:
    low, x, high = equation.values
    return apply(EMITTERS["min"], scope, [apply(EMITTERS["max"], scope, [x, low]), high])


def _maximum(scope: Scope, equation: Equation) -> Value:
    """Relu, which ONNX Runtime joins with a convolution, where one of two is 0."""
    left, right = equation.values
    for value, other in ((left, right), (right, left)):
        if isinstance(other, np.ndarray) and other.dtype.kind == "f" and not other.any():
            return apply(_operator("Relu"), scope, [value])
    return apply(EMITTERS["max"], scope, equation.values)


def _convert(scope: Scope, equation: Equation) -> Value:
    dtype = equation.output.dtype
    if dtype == equation.inputs[0].dtype:
        return equation.values[0]
    return apply(_operator("Cast", to=onnx_type(dtype)), scope, equation.values)


def _arithmetic(scope: Scope, equation: Equation) -> Value:
    """A sum or a product; it joins a convolution if the other operand is constant."""
    together = _joined_with_convolution(equation.primitive, *equation.values)
    if together is not None:
        return together
    return apply(EMITTERS[equation.primitive], scope, equation.values)


def _joined_with_convolution(name: str, left: Value, right: Value) -> Convolution | None:
    if isinstance(left, Convolution) and isinstance(right, np.ndarray):
        constant = _per_channel(right)
        if constant is None:
            return None
        match name:
            case "add":
                return left.plus(constant)
            case "sub":
                return left.plus(-constant)
            case "mul":
                return left.times(constant)
            case _:
                return left.times(1 / constant)
    if isinstance(right, Convolution) and isinstance(left, np.ndarray) and name != "div":
        turned = right.times(np.asarray(-1.0)) if name == "sub" else right
        return _joined_with_convolution("add" if name == "sub" else name, turned, left)
    return None


def _per_channel(constant: np.ndarray) -> np.ndarray | None:
    """One number or one per channel, in float64; None if it differs in another axis."""
    if constant.size == 1 or constant.shape[-1] == constant.size:
        return constant.astype(np.float64).ravel()
    return None


def _same(scope: Scope, equation: Equation) -> Value:
    del scope
    return equation.values[0]


RULES: Mapping[str, Rule] = {
    **{name: elementwise(emit) for name, emit in EMITTERS.items()},
    **dict.fromkeys(BOOLEAN, _boolean),
    **dict.fromkeys(("add", "sub", "mul", "div"), _arithmetic),
    **dict.fromkeys(("copy", "copy_p", "name", "reduce_precision", "stop_gradient"), _same),
    "clamp": _clamp,
    "convert_element_type": _convert,
    "integer_pow": _integer_pow,
    "max": _maximum,
    "select_n": _select,
}
