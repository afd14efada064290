"""Arrays of a jaxpr while it is translated to an ONNX graph.

An array of rank 4, `[B, H, W, C]` in a network, is stored in the graph with its last axis second,
`[B, C, H, W]`, whatever its axes mean. Arrays of other ranks are stored as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.onnx_file.sizes import Size, Sizes

Shape = tuple[Size, ...]


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An array that is computed when the model runs.

    Attributes:
      name: in the graph.
      shape: in the order of the jaxpr's axes; 1 in place of a size that the array is to be repeated
        to, which ONNX's elementwise operators do.
    """

    name: str
    shape: Shape


@dataclasses.dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution that is not in the graph yet: factors and shifts of its channels join it.

    Attributes:
      operator: "Conv" or "ConvTranspose".
      x: name of its input.
      kernel: float64, in the operator's order of axes.
      bias: float64 `[C_out]`.
      axis: of the output channels in the kernel.
      attributes: of the node.
      shape: of the output.
    """

    operator: str
    x: str
    kernel: np.ndarray
    bias: np.ndarray
    axis: int
    attributes: Mapping[str, Any]
    shape: Shape

    def times(self, factor: np.ndarray) -> Convolution:
        """Multiplied with one number, or with one per channel `[C_out]`."""
        factor = np.broadcast_to(factor, self.bias.shape)
        along = [1] * self.kernel.ndim
        along[self.axis] = -1
        kernel = self.kernel * factor.reshape(along)
        return dataclasses.replace(self, kernel=kernel, bias=self.bias * factor)

    def plus(self, shift: np.ndarray) -> Convolution:
        """With one number added, or one per channel `[C_out]`."""
        return dataclasses.replace(self, bias=self.bias + shift)


Value = np.ndarray | Tensor | Convolution
"""A constant (of which a size may be 1, as in `Tensor`), or an array of the graph."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """Where arrays are added.

    Attributes:
      graph: they are added to.
      sizes: of the graph.
      place: in the network, such as "Encoder/block_0"; may be empty.
    """

    graph: Graph
    sizes: Sizes
    place: str = ""

    def tensor(self, value: Value) -> Tensor:
        """The array as one of the graph."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Convolution):
            constants = (self.graph.constant(a, np.float32) for a in (value.kernel, value.bias))
            name = self.graph.add(value.operator, value.x, *constants, **value.attributes)
            return Tensor(name, value.shape)
        return Tensor(self.graph.constant(value.transpose(stored(value.ndim))), value.shape)

    def full(self, value: Value, shape: Shape) -> Tensor:
        """The array as one of the graph, with every size of `shape`."""
        if isinstance(value, np.ndarray) and not any(map(jax.export.is_symbolic_dim, shape)):
            value = np.broadcast_to(value, shape)
        tensor = self.tensor(value)
        if tensor.shape == shape:
            return tensor
        sizes = self.sizes.vector([shape[axis] for axis in stored(len(shape))])
        return Tensor(self.graph.add("Expand", tensor.name, sizes), shape)

    def arranged(self, name: str, axes: Sequence[int]) -> str:
        """An array in the order of storage.

        Args:
          name: of the array.
          axes: the jaxpr's axis of each of its axes.
        """
        return self.transposed(name, axes, stored(len(axes)))

    def transposed(self, name: str, axes: Sequence[int], wanted: Sequence[int]) -> str:
        """An array with its axes in another order, both given as the jaxpr's axes."""
        order = [list(axes).index(axis) for axis in wanted]
        if order == sorted(order):
            return name
        return self.graph.add("Transpose", name, perm=order)


def stored(rank: int) -> tuple[int, ...]:
    """The jaxpr's axis of each axis of the graph."""
    return (0, 3, 1, 2) if rank == 4 else tuple(range(rank))


def place(axis: int, rank: int) -> int:
    """The graph's axis of an axis of the jaxpr."""
    return stored(rank).index(axis)


def joined(shapes: Sequence[Shape]) -> Shape:
    """The shape of an elementwise result; shapes are of one rank, or of none."""
    sizes = zip(*(shape for shape in shapes if shape), strict=True)
    return tuple(next((size for size in of_axis if size != 1), 1) for of_axis in sizes)
