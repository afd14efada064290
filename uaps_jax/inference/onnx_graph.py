"""An ONNX graph while it is built."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclasses.dataclass
class Graph:
    """Nodes and constants in the order in which they were added."""

    nodes: list[onnx.NodeProto] = dataclasses.field(default_factory=list)
    constants: list[onnx.TensorProto] = dataclasses.field(default_factory=list)

    def add(self, operation: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Adds a node; returns the name of its output."""
        name = name or f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def constant(self, value: Any, kind: Any = None) -> str:
        """Adds a constant array; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def number(self, value: int) -> str:
        """Adds an int64 scalar."""
        return self.constant(value, np.int64)

    def softmax(self, x: str) -> str:
        """Over the classes of `[N, C, h, w]`; ONNX Runtime's own transposes the array for that."""
        highest = self.add("ReduceMax", x, axes=[1], keepdims=1)
        powers = self.add("Exp", self.add("Sub", x, highest))
        axes = self.constant([1], np.int64)
        return self.add("Div", powers, self.add("ReduceSum", powers, axes, keepdims=1))

    def convolution(self, x: str, *, kernel: np.ndarray, bias: np.ndarray) -> str:
        """A convolution that keeps the size; `kernel` `[k, k, C_in, C_out]`."""
        around = kernel.shape[0] // 2
        return self.add(
            "Conv",
            x,
            self.constant(kernel.transpose(3, 2, 0, 1), np.float32),
            self.constant(bias, np.float32),
            pads=[around] * 4,
        )
