"""A network as nodes of an ONNX graph, from the equations of its jaxpr."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from uaps_jax.inference.onnx_file import (
    convolutions,
    elementwise,
    operations,
    reductions,
    rules,
    shapes,
    slices,
)
from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.onnx_file.rules import Equation, Rule
from uaps_jax.inference.onnx_file.sizes import Sizes
from uaps_jax.inference.onnx_file.values import Convolution, Scope, Tensor, Value
from uaps_jax.inference.outputs import ExportError

RULES: Mapping[str, Rule] = {
    **elementwise.RULES,
    **shapes.RULES,
    **slices.RULES,
    **convolutions.RULES,
    **reductions.RULES,
}
"""By the name of the primitive."""

CALLS = {
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vmap_call",
    "checkpoint",
    "remat2",
}
"""Primitives that compute a jaxpr."""
INSIDE = ("jaxpr", "call_jaxpr", "fun_jaxpr", "call")  # the names of their parameter that is it


def outputs(
    graph: Graph,
    function: Callable[[jax.Array], Sequence[jax.Array]],
    x: str,
    channels: int,
    size: tuple[int, int] | int,
) -> list[str]:
    """The names of the arrays that a function makes of images.

    Args:
      graph: the nodes are added to.
      function: of images, float32 `[N, H, W, C]`.
      x: name of the images `[N, C, H, W]`.
      channels: C.
      size: H and W, or what they are multiples of.

    Raises:
      ExportError: the function computes something that has no ONNX form, or cannot be traced for
        images of any number and size.
    """
    n, h, w = jax.export.symbolic_shape("n, h, w")
    sides = (size * h, size * w) if isinstance(size, int) else size
    images = jax.ShapeDtypeStruct((n, *sides, channels), jnp.float32)
    try:
        closed = jax.make_jaxpr(function)(images)
    except (TypeError, NotImplementedError, jax.errors.InconclusiveDimensionOperation) as error:
        raise ExportError(
            "it cannot be traced for images of any "
            f"{'number and size' if isinstance(size, int) else 'number'}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    scope = Scope(graph, _sizes(graph, x, size if isinstance(size, int) else 1))
    constants = [np.asarray(value) for value in closed.consts]
    values = walk(scope, closed.jaxpr, constants, [Tensor(x, images.shape)])
    arrays: list[Any] = [variable.aval for variable in closed.jaxpr.outvars]
    return [scope.full(v, a.shape).name for v, a in zip(values, arrays, strict=True)]


def _sizes(graph: Graph, x: str, unit: int) -> Sizes:
    """The symbols of `outputs`; height and width of the images are counted in units."""
    shape = graph.add("Shape", x)
    n, height, width = (graph.add("Gather", shape, graph.number(axis)) for axis in (0, 2, 3))
    units = (graph.add("Div", side, graph.number(unit)) for side in (height, width))
    return Sizes(graph, dict(zip("nhw", (n, *units), strict=True)))


def walk(
    scope: Scope, jaxpr: core.Jaxpr, constants: Sequence[Value], inputs: Sequence[Value]
) -> list[Value]:
    """The outputs of a jaxpr, all of whose equations are added to the graph.

    Args:
      scope: the graph.
      jaxpr: equations.
      constants: values of its `constvars`.
      inputs: values of its `invars`.
    """
    values: dict[core.Var, Value] = {}
    variables = [v for equation in jaxpr.eqns for v in equation.invars] + list(jaxpr.outvars)
    uses = Counter(v for v in variables if not isinstance(v, core.Literal))

    def write(variable: core.Var, value: Value) -> None:
        # One convolution for all uses of it.
        shared = isinstance(value, Convolution) and uses[variable] > 1
        values[variable] = scope.tensor(value) if shared else value

    def read(variable: Any) -> Value:
        if isinstance(variable, core.Literal):
            aval: Any = variable.aval
            return np.asarray(variable.val, aval.dtype)
        return values[variable]

    for variable, value in zip(
        (*jaxpr.constvars, *jaxpr.invars), (*constants, *inputs), strict=True
    ):
        write(variable, value)
    for found in jaxpr.eqns:
        results = _results(scope, found, [read(v) for v in found.invars])
        for variable, value in zip(found.outvars, results, strict=True):
            write(variable, value)
    return [read(v) for v in jaxpr.outvars]


def _results(scope: Scope, found: core.JaxprEqn, values: Sequence[Value]) -> Sequence[Value]:
    """The outputs of an equation."""
    equation = rules.equation(found, values, scope.place)
    name, operation = equation.primitive, equation.operation
    if name in CALLS:
        rule = operations.RULES.get(operation.function) if operation else None
        return [rule(scope, equation)] if rule else _inside(scope, equation)
    if name != "broadcast_in_dim" and _is_known(equation):
        return _evaluated(found, equation)
    if name in slices.SEVERAL:
        return slices.SEVERAL[name](scope, equation)
    if name not in RULES:
        raise equation.refusal()
    return [RULES[name](scope, equation)]


def _inside(scope: Scope, equation: Equation) -> Sequence[Value]:
    """The outputs of an equation that computes a jaxpr."""
    scope = dataclasses.replace(scope, place=equation.place)
    inner = next(equation.parameters[name] for name in INSIDE if name in equation.parameters)
    if isinstance(inner, core.ClosedJaxpr):
        return walk(scope, inner.jaxpr, [*map(np.asarray, inner.consts)], equation.values)
    return walk(scope, inner, [], equation.values)


def _is_known(equation: Equation) -> bool:
    """Whether an equation has constant inputs only, and no size that is known later."""
    if equation.primitive == "dim_as_value":
        return False
    sizes = [size for array in (*equation.inputs, *equation.outputs) for size in array.shape]
    is_sized = equation.primitive in elementwise.RULES or not any(
        map(jax.export.is_symbolic_dim, sizes)
    )
    return is_sized and all(isinstance(value, np.ndarray) for value in equation.values)


def _evaluated(found: core.JaxprEqn, equation: Equation) -> Sequence[np.ndarray]:
    """The outputs of an equation that is known; arrays may have 1 in place of a size."""
    values: Sequence[Any] = equation.values
    if equation.primitive in elementwise.RULES:
        arrays = [*np.broadcast_arrays(*values)]
    else:
        pairs = zip(values, equation.inputs, strict=True)
        arrays = [np.broadcast_to(value, array.shape) for value, array in pairs]
    results = found.primitive.bind(*arrays, **found.params)
    return [*map(np.asarray, results if found.primitive.multiple_results else [results])]
