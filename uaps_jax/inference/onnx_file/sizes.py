"""Sizes that are known when the exported model runs.

A network is traced for images of any number and size: the sizes in its jaxpr are whole numbers or
expressions of symbols, such as `8*h`, in the grammar of `jax.export.symbolic_shape`. In the ONNX
graph, an expression is computed from the shape of the network's input.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.outputs import ExportError

Size = Any
"""An int, or a symbolic dimension of JAX; both can be compared and multiplied."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of a graph.

    Attributes:
      graph: the nodes are added to.
      symbols: symbol -> the name of its value, an int64 scalar.
    """

    graph: Graph
    symbols: Mapping[str, str]

    def scalar(self, size: Size) -> str:
        """A size as an int64 scalar."""
        if not jax.export.is_symbolic_dim(size):
            return self.graph.number(int(size))
        return self._value(ast.parse(str(size).replace("^", "**"), mode="eval").body)

    def vector(self, sizes: Sequence[Size]) -> str:
        """Sizes as an int64 vector."""
        if not any(map(jax.export.is_symbolic_dim, sizes)):
            return self.graph.constant(sizes, np.int64)
        one = self.graph.constant([1], np.int64)
        entries = (self.graph.add("Reshape", self.scalar(size), one) for size in sizes)
        return self.graph.add("Concat", *entries, axis=0)

    def _value(self, node: ast.expr) -> str:
        """An expression; as sizes are not negative, ONNX's division rounds as Python's."""
        match node:
            case ast.Name(name):
                return self.symbols[name]
            case ast.Constant(int(number)):
                return self.graph.number(number)
            case ast.UnaryOp(ast.USub(), operand):
                return self.graph.add("Neg", self._value(operand))
            case ast.BinOp(base, ast.Pow(), ast.Constant(int(power))):
                factors = [self._value(base)] * power
                return functools.reduce(functools.partial(self.graph.add, "Mul"), factors)
            case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
                operands = map(self._value, (left, right))
                return self.graph.add(_OPERATORS[type(operator)], *operands)
            case ast.Call(ast.Name(name), arguments) if name in _FUNCTIONS:
                return self.graph.add(_FUNCTIONS[name], *map(self._value, arguments))
        raise ExportError(f"the size {ast.unparse(node)} has no ONNX form")


_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul"}
_FUNCTIONS = {"floordiv": "Div", "mod": "Mod", "max": "Max", "min": "Min"}
