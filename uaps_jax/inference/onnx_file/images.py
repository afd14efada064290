"""From photographs to the network's input and back to their size, as nodes of an ONNX graph."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from uaps_jax.config import Config
from uaps_jax.data import prepare
from uaps_jax.inference.onnx_file.graph import Graph


def network_input(graph: Graph, config: Config) -> tuple[str, tuple[str, str]]:
    """The normalised images `[N, C, h, w]`, and the names of their original height and width."""
    data = config.data
    shape = graph.add("Shape", "images")
    size = tuple(graph.add("Gather", shape, graph.number(axis)) for axis in (1, 2))
    x = "images"
    for axis, (length, wanted) in enumerate(
        zip(size, (data.height, data.width), strict=True), start=1
    ):
        if data.fit == "resize":
            # Source index floor(i * in / out), in whole numbers as the loader computes it.
            places = graph.constant(np.arange(wanted), np.int64)
            scaled = graph.add("Mul", places, length)
            index = graph.add("Div", scaled, graph.number(wanted))
        else:
            stride = config.network.stride
            rounded = graph.add("Add", length, graph.number(stride - 1))
            units = graph.add("Div", rounded, graph.number(stride))
            whole = graph.add("Mul", units, graph.number(stride))
            places = graph.add("Range", graph.number(0), whole, graph.number(1))
            index = graph.add("Min", places, graph.add("Sub", length, graph.number(1)))
        x = graph.add("Gather", x, index, axis=axis)
    if data.channels == 1:
        x = graph.add("Cast", x, to=TensorProto.INT32)
        x = graph.add("MatMul", x, graph.constant(prepare.GREY[:, None]))
        x = graph.add("Add", x, graph.constant(500, np.int32))
        x = graph.add("Div", x, graph.constant(1000, np.int32))
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    mean, std = (np.asarray(v, np.float64) for v in (data.mean, data.std))
    x = graph.add("Mul", x, graph.constant(1 / (255 * std), np.float32))
    x = graph.add("Sub", x, graph.constant(mean / std, np.float32))
    order = (0, 3, 2, 1) if data.transpose else (0, 3, 1, 2)
    return graph.add("Transpose", x, perm=order), (size[0], size[1])


def upright(graph: Graph, config: Config, x: str, size: tuple[str, str]) -> str:
    """An output `[N, C, h, w]` of the network without transposition and padding."""
    if config.data.transpose:
        x = graph.add("Transpose", x, perm=(0, 1, 3, 2))
    if config.data.fit == "pad":
        ends = graph.add("Concat", *(_as_vector(graph, s) for s in size), axis=0)
        starts, axes = (graph.constant(v, np.int64) for v in ([0, 0], [2, 3]))
        x = graph.add("Slice", x, starts, ends, axes)
    return x


def at_original_size(graph: Graph, config: Config, x: str, size: tuple[str, str]) -> str:
    """`[N, h, w]` to `[N, H, W]` by nearest neighbour."""
    if config.data.fit == "pad":
        return x
    for axis, (length, seen) in enumerate(
        zip(size, (config.data.height, config.data.width), strict=True), start=1
    ):
        places = graph.add("Range", graph.number(0), length, graph.number(1))
        scaled = graph.add("Mul", places, graph.number(seen))
        x = graph.add("Gather", x, graph.add("Div", scaled, length), axis=axis)
    return x


def _as_vector(graph: Graph, scalar: str) -> str:
    return graph.add("Reshape", scalar, graph.constant([1], np.int64))
