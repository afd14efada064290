"""Slices and indices of JAX as ONNX operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jax.lax import GatherScatterMode
from onnx import TensorProto

from uaps_jax.inference.onnx_file.rules import Equation, Rule, SeveralRule
from uaps_jax.inference.onnx_file.shapes import without_axes
from uaps_jax.inference.onnx_file.sizes import Size
from uaps_jax.inference.onnx_file.values import Scope, Shape, Tensor, Value, place, stored


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


def _dynamic_slice(scope: Scope, equation: Equation) -> Value:
    x, out = equation.full(scope), equation.output
    if not all(isinstance(start, np.ndarray) for start in equation.values[1:]):
        raise equation.refusal("from a computed place")
    starts = [int(start) for start in equation.values[1:]]  # type: ignore[arg-type]
    ends = [start + size for start, size in zip(starts, out.shape, strict=True)]
    return _sliced(scope, x, starts, ends, [1] * out.ndim, out.shape)


def _gather(scope: Scope, equation: Equation) -> Value:
    """The forms that indexing with slices, numbers and arrays of indices has."""
    parameters = equation.parameters
    numbers = parameters["dimension_numbers"]
    if parameters["mode"] != GatherScatterMode.PROMISE_IN_BOUNDS or numbers.operand_batching_dims:
        raise equation.refusal("with indices that may be outside")
    axes, whole = numbers.start_index_map, equation.inputs[0].shape
    sizes = [1 if axis in axes else size for axis, size in enumerate(whole)]
    if equation.inputs[1].ndim == 1:
        return _one_slice(scope, equation, axes)
    if tuple(axes) != tuple(numbers.collapsed_slice_dims) or [*parameters["slice_sizes"]] != sizes:
        raise equation.refusal("in this form")
    return _elements(scope, equation, axes)


def _one_slice(scope: Scope, equation: Equation, axes: Sequence[int]) -> Tensor:
    """The slice that starts at one index, without the axes that are collapsed."""
    x, shape = equation.full(scope), tuple(equation.parameters["slice_sizes"])
    rank = len(shape)
    if any(shape[axis] != x.shape[axis] for axis in range(rank) if axis not in axes):
        raise equation.refusal("in this form")
    starts = scope.graph.add("Cast", equation.full(scope, 1).name, to=TensorProto.INT64)
    ends = scope.graph.add("Add", starts, scope.sizes.vector([shape[axis] for axis in axes]))
    places = scope.graph.constant([place(axis, rank) for axis in axes], np.int64)
    name = scope.graph.add("Slice", x.name, starts, ends, places)
    collapsed = equation.parameters["dimension_numbers"].collapsed_slice_dims
    return without_axes(scope, Tensor(name, shape), collapsed)


def _elements(scope: Scope, equation: Equation, axes: Sequence[int]) -> Tensor:
    """One element of some axes, or many, by indices `[..., len(axes)]`."""
    x, out = equation.full(scope), equation.output
    rank, indexed = len(x.shape), equation.inputs[1].ndim
    others = [axis for axis in range(rank) if axis not in axes]
    name = scope.transposed(x.name, stored(rank), [*axes, *others])
    index = scope.transposed(equation.full(scope, 1).name, stored(indexed), range(indexed))
    index = scope.graph.add("Cast", index, to=TensorProto.INT64)
    name = scope.graph.add("GatherND", name, index)
    of_others = equation.parameters["dimension_numbers"].offset_dims
    of_indices = [axis for axis in range(out.ndim) if axis not in of_others]
    return Tensor(scope.arranged(name, [*of_indices, *of_others]), out.shape)


RULES: Mapping[str, Rule] = {
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "rev": _reverse,
    "slice": _slice,
}
SEVERAL: Mapping[str, SeveralRule] = {
    "optimization_barrier": lambda scope, equation: equation.values,
    "split": _split,
}
