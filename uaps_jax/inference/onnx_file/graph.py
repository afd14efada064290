"""An ONNX graph while it is built."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclasses.dataclass
class Graph:
    """Nodes and constants in the order in which they were added, each of them once.

    A node of the same operation, inputs and attributes as an earlier one is that node, so that
    predictions that share an encoder or a decoder compute it once.
    """

    prefix: str = ""  # of all names
    nodes: list[onnx.NodeProto] = dataclasses.field(default_factory=list)
    constants: list[onnx.TensorProto] = dataclasses.field(default_factory=list)
    outputs: list[str] = dataclasses.field(default_factory=list)
    _names: dict[Hashable, str] = dataclasses.field(default_factory=dict)

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node; returns the name of its output."""
        key = (operation, inputs, repr(sorted(attributes.items())))
        if key not in self._names:
            self._names[key] = f"{self.prefix}{operation}_{len(self.nodes)}"
            self.nodes.append(helper.make_node(operation, inputs, [self._names[key]], **attributes))
        return self._names[key]

    def largest(self, x: str, count: int) -> str:
        """The `count` largest values of each row of `[N, M]`, in descending order."""
        values = f"TopK_{len(self.nodes)}"
        inputs = [x, self.constant([count], np.int64)]
        self.nodes.append(helper.make_node("TopK", inputs, [values, f"{values}_places"], axis=1))
        return values

    def repeated(self, start: str, kind: int, step: Callable[[Graph, str], str]) -> str:
        """The array that a step makes of a start, repeated until it does not increase any more.

        Args:
          start: `[N, C, h, w]`, not negative.
          kind: its type, of `onnx.TensorProto`.
          step: adds nodes to the graph of the loop's body, which may use the values of this graph;
            the result is nowhere smaller than what it is made of.
        """
        name = f"Loop_{len(self.nodes)}"
        names = [f"{name}_{part}" for part in ("number", "goes_on", "before")]
        inner = Graph(prefix=f"{name}_")
        after = inner.add("Identity", step(inner, names[2]))
        increase = inner.add("ReduceMax", inner.add("Sub", after, names[2]), keepdims=0)
        zero = inner.constant(0, helper.tensor_dtype_to_np_dtype(kind))
        goes_on = inner.add("Greater", increase, zero)
        shape: list[Any] = [None] * 4
        infos = [
            helper.make_tensor_value_info(*info)
            for info in (
                (names[0], onnx.TensorProto.INT64, []),
                (names[1], onnx.TensorProto.BOOL, []),
                (names[2], kind, shape),
                (goes_on, onnx.TensorProto.BOOL, []),
                (after, kind, shape),
            )
        ]
        body = helper.make_graph(inner.nodes, f"{name}_body", infos[:3], infos[3:], inner.constants)
        inputs = ["", self.constant(True, np.bool_), start]
        self.nodes.append(helper.make_node("Loop", inputs, [name], body=body))
        return name

    def output(self, name: str, value: str) -> None:
        """Names an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(name)

    def constant(self, value: Any, kind: Any = None) -> str:
        """Adds a constant array; returns its name."""
        array = np.asarray(value, kind)
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._names:
            self._names[key] = f"{self.prefix}constant_{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def number(self, value: int) -> str:
        """Adds an int64 scalar."""
        return self.constant(value, np.int64)

    def named(self, name: str, value: Any, kind: Any) -> str:
        """Adds a constant array under a name of its own, by which it can be replaced."""
        if name not in self._names:
            self._names[name] = name
            self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def drop_unused(self) -> None:
        """Removes nodes and constants that no output needs."""
        needed = set(self.outputs)
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(_used(node))
        self.nodes = [node for node in self.nodes if needed.intersection(node.output)]
        self.constants = [array for array in self.constants if array.name in needed]

    def softmax(self, x: str) -> str:
        """Over the classes of `[N, C, h, w]`; ONNX Runtime's own transposes the array for that."""
        powers = self.add("Exp", self._below_maximum(x))
        return self.add("Div", powers, self.sum_over_classes(powers))

    def log_softmax(self, x: str) -> str:
        """Likewise, the logarithm."""
        below = self._below_maximum(x)
        total = self.sum_over_classes(self.add("Exp", below))
        return self.add("Sub", below, self.add("Log", total))

    def log_probability(self, p: str) -> str:
        """The logarithm of numbers in [0, 1]; that of the smallest normal float32 for 0."""
        smallest = self.constant(np.finfo(np.float32).tiny, np.float32)
        return self.add("Log", self.add("Max", p, smallest))

    def mean(self, *values: str) -> str:
        """The mean of one or more arrays of the same shape."""
        return self.add("Mean", *values) if len(values) > 1 else values[0]

    def sum_over_classes(self, x: str) -> str:
        """`[N, C, h, w]` to `[N, 1, h, w]`."""
        return self.add("ReduceSum", x, self.constant([1], np.int64), keepdims=1)

    def _below_maximum(self, x: str) -> str:
        return self.add("Sub", x, self.add("ReduceMax", x, axes=[1], keepdims=1))


def _used(node: onnx.NodeProto) -> Iterator[str]:
    """The names of the values that a node reads, in the body of a loop too."""
    yield from node.input
    for attribute in node.attribute:
        for inside in attribute.g.node:
            yield from _used(inside)
