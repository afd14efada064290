"""A network as nodes of an ONNX graph, from the equations of its jaxpr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from uaps_jax.inference import (
    onnx_convolutions,
    onnx_elementwise,
    onnx_operations,
    onnx_reductions,
    onnx_shapes,
)
from uaps_jax.inference.onnx_graph import ExportError, Graph
from uaps_jax.inference.onnx_rules import Rule, refusal
from uaps_jax.inference.onnx_sizes import Sizes
from uaps_jax.inference.onnx_values import Convolution, Scope, Tensor, Value
from uaps_jax.models import operations
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

RULES: Mapping[str, Rule] = {
    **onnx_elementwise.RULES,
    **onnx_shapes.RULES,
    **onnx_convolutions.RULES,
    **onnx_reductions.RULES,
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


def logits(
    graph: Graph, network: Network, variables: Tree, x: str, size: tuple[int, int] | None
) -> list[str]:
    """The logits `[N, C, H, W]` of every decoder of a network.

    Args:
      graph: the nodes are added to.
      network: the architecture.
      variables: `{"params", "batch_stats"}`, as numpy arrays.
      x: name of the images `[N, C, H, W]`.
      size: height and width of the images; None for any multiples of the network's stride.

    Raises:
      ExportError: the network computes something that has no ONNX form, or cannot be traced for
        images of any number and size.
    """
    n, h, w = jax.export.symbolic_shape("n, h, w")
    sides = size or (network.stride * h, network.stride * w)
    images = jax.ShapeDtypeStruct((n, *sides, network.channels), jnp.float32)
    try:
        closed = jax.make_jaxpr(network.separate_logits)(variables, images)
    except (TypeError, NotImplementedError, jax.errors.InconclusiveDimensionOperation) as error:
        raise ExportError(
            "the network cannot be traced for images of any "
            f"{'number' if size else 'number and size'}: {str(error).splitlines()[0]}"
        ) from error
    scope = Scope(graph, _sizes(graph, x, network.stride))
    inputs = [*jax.tree.leaves(variables), Tensor(x, images.shape)]
    outputs = walk(scope, closed.jaxpr, [*map(np.asarray, closed.consts)], inputs)
    shapes = [variable.aval.shape for variable in closed.jaxpr.outvars]
    return [scope.full(*output).name for output in zip(outputs, shapes, strict=True)]


def _sizes(graph: Graph, x: str, stride: int) -> Sizes:
    """The symbols of `logits`, from the shape of the images `[N, C, H, W]`."""
    shape = graph.add("Shape", x)
    n, height, width = (graph.add("Gather", shape, graph.number(axis)) for axis in (0, 2, 3))
    units = (graph.add("Div", side, graph.number(stride)) for side in (height, width))
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
            return np.asarray(variable.val, variable.aval.dtype)
        return values[variable]

    for variable, value in zip(
        (*jaxpr.constvars, *jaxpr.invars), (*constants, *inputs), strict=True
    ):
        write(variable, value)
    for equation in jaxpr.eqns:
        results = _results(scope, equation, [read(v) for v in equation.invars])
        for variable, value in zip(equation.outvars, results, strict=True):
            write(variable, value)
    return [read(v) for v in jaxpr.outvars]


def _results(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Sequence[Value]:
    name = equation.primitive.name
    is_constant = all(isinstance(value, np.ndarray) for value in values)
    if name in CALLS:
        operation = operations.of(equation)
        rule = onnx_operations.RULES.get(operation.function) if operation else None
        return [rule(scope, equation, values)] if rule else _inside(scope, equation, values)
    if is_constant and name != "broadcast_in_dim" and _can_be_evaluated(equation):
        return _evaluated(equation, values)
    if name in onnx_shapes.SEVERAL:
        return onnx_shapes.SEVERAL[name](scope, equation, values)
    if name not in RULES:
        raise refusal(equation)
    return [RULES[name](scope, equation, values)]


def _inside(scope: Scope, equation: core.JaxprEqn, values: Sequence[Value]) -> Sequence[Value]:
    """The outputs of an equation that computes a jaxpr."""
    inner = next(equation.params[name] for name in INSIDE if name in equation.params)
    if isinstance(inner, core.ClosedJaxpr):
        return walk(scope, inner.jaxpr, [*map(np.asarray, inner.consts)], values)
    return walk(scope, inner, [], values)


def _can_be_evaluated(equation: core.JaxprEqn) -> bool:
    """Whether an equation of constants is one without sizes that are known only later."""
    variables = (*equation.invars, *equation.outvars)
    sizes = [size for variable in variables for size in variable.aval.shape]
    is_elementwise = equation.primitive.name in onnx_elementwise.RULES
    is_size = equation.primitive.name == "dim_as_value"
    return not is_size and (is_elementwise or not any(map(jax.export.is_symbolic_dim, sizes)))


def _evaluated(equation: core.JaxprEqn, values: Sequence[Any]) -> Sequence[np.ndarray]:
    """The constant outputs of an equation of constants."""
    if equation.primitive.name in onnx_elementwise.RULES:
        arrays = np.broadcast_arrays(*values)
    else:
        shapes = [variable.aval.shape for variable in equation.invars]
        arrays = [np.broadcast_to(v, shape) for v, shape in zip(values, shapes, strict=True)]
    results = equation.primitive.bind(*arrays, **equation.params)
    if not equation.primitive.multiple_results:
        results = [results]
    return [np.asarray(result) for result in results]
