"""From photographs to the network's input and back to their size, as nodes of an ONNX graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from uaps_jax.config import Config, DataConfig
from uaps_jax.data import prepare, resample
from uaps_jax.inference.onnx_file.graph import Graph

SCALE = "scale"
"""Name of the constant, numerator and denominator, by which photographs are scaled first."""


class Sizes(NamedTuple):
    """Names of the heights and widths of images, int64 scalars.

    Attributes:
      own: of the photographs.
      seen: of what the network sees, without its padding.
    """

    own: tuple[str, str]
    seen: tuple[str, str]


def network_input(graph: Graph, config: Config) -> tuple[str, Sizes]:
    """The normalised images `[N, C, h, w]`, and their sizes."""
    data = config.data
    shape = graph.add("Shape", "images")
    own = (
        graph.add("Gather", shape, graph.number(1)),
        graph.add("Gather", shape, graph.number(2)),
    )
    wanted = (data.height, data.width)
    seen = (_seen(graph, data, own[0], wanted[0]), _seen(graph, data, own[1], wanted[1]))
    x = "images"
    if seen != own:
        by = _nearest if data.resampling == "nearest" else _area_means
        x = by(graph, x, own, seen)
    if data.fit != "resize":
        for axis, length in enumerate(seen, start=1):
            x = _padded(graph, x, axis, length, config.network.stride)
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
    return graph.add("Transpose", x, perm=order), Sizes(own, seen)


def upright(graph: Graph, config: Config, x: str, sizes: Sizes) -> str:
    """An output `[N, C, h, w]` of the network without transposition and padding."""
    if config.data.transpose:
        x = graph.add("Transpose", x, perm=(0, 1, 3, 2))
    if config.data.fit != "resize":
        ends = graph.add("Concat", *(_as_vector(graph, s) for s in sizes.seen), axis=0)
        starts, axes = (graph.constant(v, np.int64) for v in ([0, 0], [2, 3]))
        x = graph.add("Slice", x, starts, ends, axes)
    return x


def at_original_size(graph: Graph, x: str, sizes: Sizes, first: int = 1) -> str:
    """`[N, h, w]`, or with `first` = 2 `[N, C, h, w]`, at H and W by nearest neighbour."""
    return x if sizes.seen == sizes.own else _nearest(graph, x, sizes.seen, sizes.own, first)


def _seen(graph: Graph, data: DataConfig, length: str, wanted: int) -> str:
    """The length of a side of what the network sees, as the loader computes it."""
    if data.fit == "resize":
        return graph.number(wanted)
    factor = resample.rational(data.scale)
    if factor == 1:
        return length
    ratio = graph.named(SCALE, [factor.numerator, factor.denominator], np.int64)
    numerator, denominator = (
        graph.add("Gather", ratio, graph.number(place), axis=0) for place in (0, 1)
    )
    scaled = graph.add("Mul", length, numerator)
    raised = graph.add("Add", scaled, graph.add("Sub", denominator, graph.number(1)))
    return graph.add("Div", raised, denominator)


def _nearest(
    graph: Graph, x: str, sizes: tuple[str, str], wanted: tuple[str, str], first: int = 1
) -> str:
    """Source index floor(i * in / out) along two axes, the first one given, in whole numbers."""
    for axis, (length, count) in enumerate(zip(sizes, wanted, strict=True), start=first):
        places = graph.add("Range", graph.number(0), count, graph.number(1))
        index = graph.add("Div", graph.add("Mul", places, length), count)
        x = graph.add("Gather", x, index, axis=axis)
    return x


def _area_means(graph: Graph, x: str, sizes: tuple[str, str], wanted: tuple[str, str]) -> str:
    """Means over the areas of the pixels, rounded, `[N, H, W, 3]` to `[N, h, w, 3]`, float32."""
    rows, columns = (_shares(graph, *pair) for pair in zip(sizes, wanted, strict=True))
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    x = graph.add("Reshape", x, graph.constant([0, 0, -1], np.int64))
    x = graph.add("MatMul", rows, x)
    x = graph.add("Reshape", x, graph.constant([0, 0, -1, 3], np.int64))
    x = graph.add("MatMul", columns, x)
    return graph.add("Floor", graph.add("Add", x, graph.constant(resample.HALF, np.float32)))


def _shares(graph: Graph, length: str, wanted: str) -> str:
    """The share of each of `length` elements in each of `wanted` parts, float32 `[out, in]`.

    In units of 1 / `wanted` elements, part i is [i * in, (i + 1) * in] and element j
    [j * out, (j + 1) * out].
    """
    zero, one = graph.number(0), graph.number(1)
    parts = graph.add("Range", zero, wanted, one)
    parts = graph.add("Unsqueeze", parts, graph.constant([1], np.int64))
    elements = graph.add("Range", zero, length, one)
    begins = graph.add("Mul", parts, length), graph.add("Mul", elements, wanted)
    ends = graph.add("Add", begins[0], length), graph.add("Add", begins[1], wanted)
    shared = graph.add("Sub", graph.add("Min", *ends), graph.add("Max", *begins))
    shared = graph.add("Cast", graph.add("Max", shared, zero), to=TensorProto.FLOAT)
    return graph.add("Div", shared, graph.add("Cast", length, to=TensorProto.FLOAT))


def _padded(graph: Graph, x: str, axis: int, length: str, stride: int) -> str:
    """An axis extended to a multiple of the stride, its last element repeated."""
    rounded = graph.add("Add", length, graph.number(stride - 1))
    units = graph.add("Div", rounded, graph.number(stride))
    whole = graph.add("Mul", units, graph.number(stride))
    places = graph.add("Range", graph.number(0), whole, graph.number(1))
    index = graph.add("Min", places, graph.add("Sub", length, graph.number(1)))
    return graph.add("Gather", x, index, axis=axis)


def _as_vector(graph: Graph, scalar: str) -> str:
    return graph.add("Reshape", scalar, graph.constant([1], np.int64))
