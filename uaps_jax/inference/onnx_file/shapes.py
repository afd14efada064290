"""Primitives of JAX that move, repeat and number elements, as ONNX operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.lax import GatherScatterMode

from uaps_jax.inference.onnx_file.elementwise import onnx_type
from uaps_jax.inference.onnx_file.rules import Equation, Rule, SeveralRule
from uaps_jax.inference.onnx_file.sizes import Size
from uaps_jax.inference.onnx_file.values import Scope, Shape, Tensor, Value, place, stored


def _broadcast(scope: Scope, equation: Equation) -> Value:
    """New axes of size 1; what they are repeated to is left to the operators that need it."""
    axes, rank = equation.parameters["broadcast_dimensions"], equation.output.ndim
    value = equation.values[0]
    size = dict(zip(axes, value.shape, strict=True))
    shape = tuple(size.get(axis, 1) for axis in range(rank))
    if isinstance(value, np.ndarray):
        return value.reshape(shape)
    tensor = scope.tensor(value)
    new = [axis for axis in range(rank) if axis not in axes]
    have = [axes[axis] for axis in stored(len(axes))]
    name = tensor.name
    if new:
        places = scope.graph.constant(np.arange(len(new)), np.int64)
        name = scope.graph.add("Unsqueeze", name, places)
    return Tensor(scope.arranged(name, [*new, *have]), shape)


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


def _slice(scope: Scope, equation: Equation) -> Value:
    parameters = equation.parameters
    steps = parameters["strides"] or [1] * equation.inputs[0].ndim
    bounds = (parameters["start_indices"], parameters["limit_indices"], steps)
    return _sliced(scope, equation.full(scope), *bounds, equation.output.shape)


def _sliced(
    scope: Scope,
    x: Tensor,
    starts: Sequence[Size],
    ends: Sequence[Size],
    steps: Sequence[int],
    shape: Shape,
) -> Tensor:
    """Elements `start`, `start + step`, ... below `end` of every axis; `shape` is the result's."""
    rank = len(shape)
    cut = [axis for axis in range(rank) if shape[axis] != x.shape[axis]]
    if not cut:
        return x
    bounds = [scope.sizes.vector([v[axis] for axis in cut]) for v in (starts, ends)]
    axes, step = ([f(axis) for axis in cut] for f in (lambda a: place(a, rank), lambda a: steps[a]))
    constants = (scope.graph.constant(v, np.int64) for v in (axes, step))
    return Tensor(scope.graph.add("Slice", x.name, *bounds, *constants), shape)


def _split(scope: Scope, equation: Equation) -> Sequence[Value]:
    x, axis = equation.full(scope), equation.parameters["axis"]
    edges = np.cumsum([0, *equation.parameters["sizes"]]).tolist()
    rank = len(x.shape)
    parts = []
    for start, end, out in zip(edges, edges[1:], equation.outputs, strict=False):
        starts, ends = [0] * rank, list(x.shape)
        starts[axis], ends[axis] = start, end
        parts.append(_sliced(scope, x, starts, ends, [1] * rank, out.shape))
    return parts


def _reverse(scope: Scope, equation: Equation) -> Value:
    x, axes = equation.full(scope), equation.parameters["dimensions"]
    places = [place(axis, len(x.shape)) for axis in axes]
    bounds = ([-1] * len(axes), [np.iinfo(np.int64).min] * len(axes), places, [-1] * len(axes))
    constants = (scope.graph.constant(v, np.int64) for v in bounds)
    return Tensor(scope.graph.add("Slice", x.name, *constants), x.shape)


def _pad(scope: Scope, equation: Equation) -> Value:
    out = equation.output
    edges = [equation.parameters["padding_config"][axis] for axis in stored(out.ndim)]
    if any(between for _, _, between in edges):
        raise equation.refusal("between elements")
    x = equation.full(scope)
    widths = scope.sizes.vector([e[0] for e in edges] + [e[1] for e in edges])
    fill = scope.tensor(equation.values[1])
    return Tensor(scope.graph.add("Pad", x.name, widths, fill.name), out.shape)


def _dynamic_slice(scope: Scope, equation: Equation) -> Value:
    x, out = equation.full(scope), equation.output
    if not all(isinstance(start, np.ndarray) for start in equation.values[1:]):
        raise equation.refusal("from a computed place")
    starts = [int(start) for start in equation.values[1:]]  # type: ignore[arg-type]
    ends = [start + size for start, size in zip(starts, out.shape, strict=True)]
    return _sliced(scope, x, starts, ends, [1] * out.ndim, out.shape)


def _gather(scope: Scope, equation: Equation) -> Value:
    """The two forms that indexing with slices, numbers and one array of indices has."""
    parameters = equation.parameters
    numbers = parameters["dimension_numbers"]
    x, indices = equation.full(scope), equation.values[1]
    rank, out = len(x.shape), equation.output
    axes, collapsed = numbers.start_index_map, numbers.collapsed_slice_dims
    is_inside = parameters["mode"] == GatherScatterMode.PROMISE_IN_BOUNDS
    if not is_inside or numbers.operand_batching_dims:
        raise equation.refusal("with indices that may be outside")
    if isinstance(indices, np.ndarray) and indices.ndim == 1:
        starts = [0] * rank
        for axis, start in zip(axes, indices.tolist(), strict=True):
            starts[axis] = start
        shape = tuple(parameters["slice_sizes"])
        ends = [start + size for start, size in zip(starts, shape, strict=True)]
        return without_axes(scope, _sliced(scope, x, starts, ends, [1] * rank, shape), collapsed)
    others = tuple(axis for axis in range(rank) if axis not in axes)
    if tuple(axes) != tuple(collapsed) or len(axes) != 1 or len(equation.inputs[1].shape) != 2:
        raise equation.refusal("in this form")
    if numbers.offset_dims != others:
        raise equation.refusal("in this form")
    index = without_axes(scope, scope.full(indices, equation.inputs[1].shape), [1])
    name = scope.graph.add("Gather", x.name, index.name, axis=place(axes[0], rank))
    return Tensor(name, out.shape)


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
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "iota": _iota,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _reverse,
    "slice": _slice,
    "squeeze": _squeeze,
    "transpose": _transpose,
}
SEVERAL: Mapping[str, SeveralRule] = {
    "optimization_barrier": lambda scope, equation: equation.values,
    "split": _split,
}
