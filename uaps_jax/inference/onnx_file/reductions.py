"""Sums and maxima along axes, and matrix products, as ONNX operators."""

from __future__ import annotations

import string
from collections.abc import Mapping

import numpy as np

from uaps_jax.inference.onnx_file.elementwise import onnx_type
from uaps_jax.inference.onnx_file.rules import Equation, Rule
from uaps_jax.inference.onnx_file.shapes import remaining
from uaps_jax.inference.onnx_file.values import Scope, Tensor, Value, place, stored


def _reduction(operator: str) -> Rule:
    def rule(scope: Scope, equation: Equation) -> Value:
        axes = equation.parameters["axes"]
        x = equation.full(scope)
        rank = len(x.shape)
        places = sorted(place(axis, rank) for axis in axes)
        if operator == "ReduceSum":
            constant = scope.graph.constant(places, np.int64)
            name = scope.graph.add(operator, x.name, constant, keepdims=0)
        else:
            name = scope.graph.add(operator, x.name, axes=places, keepdims=0)
        return Tensor(remaining(scope, name, rank, axes), equation.output.shape)

    return rule


def _index(operator: str) -> Rule:
    def rule(scope: Scope, equation: Equation) -> Value:
        (axis,) = equation.parameters["axes"]
        x = equation.full(scope)
        rank, out = len(x.shape), equation.output
        name = scope.graph.add(operator, x.name, axis=place(axis, rank), keepdims=0)
        name = scope.graph.add("Cast", name, to=onnx_type(out.dtype))
        return Tensor(remaining(scope, name, rank, [axis]), out.shape)

    return rule


def _product(scope: Scope, equation: Equation) -> Value:
    """A matrix product over any axes, as Einstein's summation."""
    contracted, batched = equation.parameters["dimension_numbers"]
    tensors = [equation.full(scope, number) for number in (0, 1)]
    fresh = iter(string.ascii_lowercase)
    labels: tuple[dict[int, str], dict[int, str]] = ({}, {})
    for of_left, of_right in (*zip(*batched, strict=True), *zip(*contracted, strict=True)):
        labels[0][of_left] = labels[1][of_right] = next(fresh)
    shared = [labels[0][axis] for axis in batched[0]]
    free = []
    for tensor, letters in zip(tensors, labels, strict=True):
        for axis in range(len(tensor.shape)):
            if axis not in letters:
                letters[axis] = next(fresh)
                free.append(letters[axis])
    result = [*shared, *free]
    left, right = ("".join(letters[axis] for axis in stored(len(letters))) for letters in labels)
    out = "".join(result[axis] for axis in stored(len(result)))
    names = (tensor.name for tensor in tensors)
    name = scope.graph.add("Einsum", *names, equation=f"{left},{right}->{out}")
    return Tensor(name, equation.output.shape)


RULES: Mapping[str, Rule] = {
    "argmax": _index("ArgMax"),
    "argmin": _index("ArgMin"),
    "dot_general": _product,
    "reduce_max": _reduction("ReduceMax"),
    "reduce_min": _reduction("ReduceMin"),
    "reduce_prod": _reduction("ReduceProd"),
    "reduce_sum": _reduction("ReduceSum"),
}
