"""Elementwise primitives of JAX as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend import core
from onnx import helper

from uaps_jax.inference.onnx_graph import Graph
from uaps_jax.inference.onnx_rules import Rule, refusal
from uaps_jax.inference.onnx_values import Convolution, Scope, Tensor, Value, joined

Emit = Callable[..., str]
"""`(graph, *names of the inputs)` to the name of the output."""


def onnx_type(dtype: Any) -> int:
    """ONNX's number of a type."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def elementwise(emit: Emit) -> Rule:
    """The rule of a primitive whose output has the shape of its inputs."""

    def rule(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
        del equation
        tensors = [scope.tensor(value) for value in values]
        name = emit(scope.graph, *(tensor.name for tensor in tensors))
        return Tensor(name, joined([tensor.shape for tensor in tensors]))

    return rule


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


def _boolean(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    if equation.outvars[0].aval.dtype != bool:
        raise refusal(equation, "of whole numbers")
    return elementwise(_operator(BOOLEAN[equation.primitive.name]))(scope, equation, values)


def _integer_pow(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    power = np.asarray(equation.params["y"], equation.outvars[0].aval.dtype)
    return RULES["pow"](scope, equation, [*values, power])


def _select(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    if len(values) != 3 or equation.invars[0].aval.dtype != bool:
        raise refusal(equation, "of more than two cases")
    where, no, yes = values
    return elementwise(_operator("Where"))(scope, equation, [where, yes, no])


def _clamp(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    low, x, high = values
    return elementwise(lambda graph, *n: graph.add("Min", graph.add("Max", *n[:2]), n[2]))(
        scope, equation, [x, low, high]
    )


def _maximum(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    """Relu, which ONNX Runtime joins with a convolution, where one of two is 0."""
    for value, other in (values, values[::-1]):
        if isinstance(other, np.ndarray) and other.dtype.kind == "f" and not other.any():
            return elementwise(_operator("Relu"))(scope, equation, [value])
    return elementwise(EMITTERS["max"])(scope, equation, values)


def _convert(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    dtype = equation.outvars[0].aval.dtype
    if dtype == equation.invars[0].aval.dtype:
        return values[0]
    return elementwise(_operator("Cast", to=onnx_type(dtype)))(scope, equation, values)


def _same(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    del scope, equation
    return values[0]


def _arithmetic(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Value:
    """A sum or a product; it joins a convolution if the other operand is constant."""
    name = equation.primitive.name
    joined_with = _joined_with_convolution(name, *values)
    if joined_with is not None:
        return joined_with
    return elementwise(EMITTERS[name])(scope, equation, values)


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
