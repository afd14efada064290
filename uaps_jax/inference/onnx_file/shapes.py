"""Primitives of JAX that move, repeat and number elements, as ONNX operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from uaps_jax.inference.onnx_file.elementwise import onnx_type
from uaps_jax.inference.onnx_file.rules import Equation, Rule
from uaps_jax.inference.onnx_file.values import Scope, Shape, Tensor, Value, place, stored


def _broadcast(scope: Scope, equation: Equation) -> Value:
    """New axes of size 1; what they are repeated to is left to the operators that need it."""
    axes, rank = equation.parameters["broadcast_dimensions"], equation.output.ndim
    value = equation.values[0]
    if isinstance(value, np.ndarray):
        return value.reshape(_shape_between(value.shape, axes, rank))
    return with_axes(scope, scope.tensor(value), axes, rank)


def with_axes(scope: Scope, tensor: Tensor, axes: Sequence[int], rank: int) -> Tensor:
    """An array with new axes of size 1; `axes` are the places of the axes that it has."""
    new = [axis for axis in range(rank) if axis not in axes]
    have = [axes[axis] for axis in stored(len(axes))]
    name = tensor.name
    if new:
        places = scope.graph.constant(np.arange(len(new)), np.int64)
        name = scope.graph.add("Unsqueeze", name, places)
    shape = _shape_between(tensor.shape, axes, rank)
    return Tensor(scope.arranged(name, [*new, *have]), shape)


def _shape_between(shape: Shape, axes: Sequence[int], rank: int) -> Shape:
    size = dict(zip(axes, shape, strict=True))
    return tuple(size.get(axis, 1) for axis in range(rank))


def _squeeze(scope: Scope, equation: Equation) -> Value:
    tensor = scope.tensor(equation.values[0])
    rank = len(tensor.shape)
    return without_axes(scope, tensor, [axis % rank for axis in equation.parameters["dimensions"]])


def without_axes(scope: Scope, tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """An array without axes of size 1."""
    if not axes:
        return tensor
    rank = len(tensor.shape)
    places = scope.graph.constant(sorted(place(axis, rank) for axis in axes), np.int64)
    name = scope.graph.add("Squeeze", tensor.name, places)
    return Tensor(remaining(scope, name, rank, axes), _without(tensor.shape, axes))


def remaining(scope: Scope, name: str, rank: int, removed: Sequence[int]) -> str:
    """An array of a rank, some of whose axes have been removed, in the order of storage."""
    kept = [axis for axis in range(rank) if axis not in removed]
    have = [kept.index(axis) for axis in stored(rank) if axis not in removed]
    return scope.arranged(name, have)


def _without(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _transpose(scope: Scope, equation: Equation) -> Value:
    tensor, order = scope.tensor(equation.values[0]), equation.parameters["permutation"]
    have = [order.index(axis) for axis in stored(len(order))]
    return Tensor(scope.arranged(tensor.name, have), tuple(tensor.shape[a] for a in order))


def _reshape(scope: Scope, equation: Equation) -> Value:
    before, after = equation.inputs[0].shape, equation.output.shape
    x = equation.full(scope)
    ones = [axis for axis, size in enumerate(before) if size == 1]
    if _without(before, ones) == after:
        return without_axes(scope, x, ones)
    rank = len(before)
    name = scope.transposed(x.name, stored(rank), range(rank))
    symbolic = [axis for axis, size in enumerate(after) if jax.export.is_symbolic_dim(size)]
    sizes = [-1 if [axis] == symbolic else size for axis, size in enumerate(after)]
    name = scope.graph.add("Reshape", name, scope.sizes.vector(sizes))
    return Tensor(scope.arranged(name, range(len(after))), after)


def _concatenate(scope: Scope, equation: Equation) -> Value:
    out = equation.output
    names = [equation.full(scope, number).name for number in range(len(equation.values))]
    axis = place(equation.parameters["dimension"], out.ndim)
    return Tensor(scope.graph.add("Concat", *names, axis=axis), out.shape)


def _stack(scope: Scope, equation: Equation) -> Value:
    axis, out = equation.parameters["axis"], equation.output
    axes = [a for a in range(out.ndim) if a != axis]
    parts = [equation.full(scope, number) for number in range(len(equation.values))]
    names = [with_axes(scope, part, axes, out.ndim).name for part in parts]
    return Tensor(scope.graph.add("Concat", *names, axis=place(axis, out.ndim)), out.shape)


def _pad(scope: Scope, equation: Equation) -> Value:
    out = equation.output
    edges = [equation.parameters["padding_config"][axis] for axis in stored(out.ndim)]
    if any(between for _, _, between in edges):
        raise equation.refusal("between elements")
    x = equation.full(scope)
    widths = scope.sizes.vector([e[0] for e in edges] + [e[1] for e in edges])
    fill = scope.tensor(equation.values[1])
    return Tensor(scope.graph.add("Pad", x.name, widths, fill.name), out.shape)


def _iota(scope: Scope, equation: Equation) -> Value:
    out, axis = equation.output, equation.parameters["dimension"]
    graph, size = scope.graph, out.shape[equation.parameters["dimension"]]
    name = graph.add("Range", graph.number(0), scope.sizes.scalar(size), graph.number(1))
    name = graph.add("Cast", name, to=onnx_type(out.dtype))
    if out.ndim > 1:
        form = [-1 if a == axis else 1 for a in stored(out.ndim)]
        name = graph.add("Reshape", name, graph.constant(form, np.int64))
    return Tensor(name, tuple(size if a == axis else 1 for a in range(out.ndim)))


def _dim_as_value(scope: Scope, equation: Equation) -> Value:
    name = scope.sizes.scalar(equation.parameters["dim"])
    dtype = equation.output.dtype
    return Tensor(scope.graph.add("Cast", name, to=onnx_type(dtype)), ())


RULES: Mapping[str, Rule] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "dim_as_value": _dim_as_value,
    "iota": _iota,
    "pad": _pad,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
}
