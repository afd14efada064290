"""The score of an image as nodes of an ONNX graph; see `evaluation.image_score`."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.onnx_file.graph import Graph

FLOAT32_EXACT = 2**24
"""Up to this number of pixels their numbers are exact as float32."""


def scores(graph: Graph, probabilities: str, rule: ScoreRule, pixels: int | None) -> str:
    """The scores `[N]` of probabilities `[N, C, h, w]`.

    Args:
      graph: the nodes are added to.
      probabilities: background first.
      rule: how to score.
      pixels: of an image; None if it is known only when the model runs.
    """
    first, second = (graph.constant([bound], np.int64) for bound in (0, 1))
    background = graph.add("Slice", probabilities, first, second, second)
    defect = graph.add("Sub", graph.constant(1, np.float32), background)
    threshold = graph.constant(rule.pixel_threshold, np.float32)
    marked = graph.add("Not", graph.add("LessOrEqual", defect, threshold))  # NaN, too
    marked = graph.add("Cast", marked, to=TensorProto.FLOAT)
    if rule.has_minimum:
        marked = _in_large_regions(graph, marked, rule.minimum_area, pixels)
        defect = graph.add("Mul", defect, marked)
    if rule.kind == "area":
        return graph.add("ReduceSum", _rows(graph, marked), second, keepdims=0)
    # Further pixels of value 0, for images of fewer than k.
    ends = graph.constant([0, 0, 0, rule.top_pixels], np.int64)
    largest = graph.largest(graph.add("Pad", _rows(graph, defect), ends), rule.top_pixels)
    total = graph.add("ReduceSum", largest, second, keepdims=0)
    return graph.add("Div", total, graph.constant(rule.top_pixels, np.float32))


def _in_large_regions(graph: Graph, marked: str, minimum: int, pixels: int | None) -> str:
    """1 for the marked pixels of large regions, else 0, float32 `[N, 1, h, w]`.

    The numbers of `evaluation.regions.batch_in_large_regions`; ONNX's MaxPool takes no whole
    numbers of enough bits.
    """
    is_small = pixels is not None and pixels <= FLOAT32_EXACT
    kind, number = (TensorProto.FLOAT, np.float32) if is_small else (TensorProto.DOUBLE, np.float64)
    one = graph.constant(1, number)
    shape = graph.add("Shape", marked)
    marked_rows = _rows(graph, graph.add("Cast", marked, to=kind))
    count = graph.add("Gather", graph.add("Shape", marked_rows), graph.number(1))
    places = graph.add("Range", graph.number(0), count, graph.number(1))
    numbers = graph.add("Add", graph.add("Cast", places, to=kind), one)
    start = graph.add("Reshape", graph.add("Mul", marked_rows, numbers), shape)

    def place(inner: Graph, rows: str) -> str:
        """The place of the pixel of each number; that of pixels without one does not matter."""
        below = inner.add("Sub", rows, inner.constant(1, number))
        return inner.add(
            "Cast", inner.add("Max", below, inner.constant(0, number)), to=TensorProto.INT64
        )

    def step(inner: Graph, before: str) -> str:
        pooled = inner.add("MaxPool", before, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        largest = inner.add("Mul", _rows(inner, pooled), marked_rows)
        jumped = inner.add("GatherElements", largest, place(inner, largest), axis=1)
        return inner.add("Reshape", inner.add("Mul", jumped, marked_rows), shape)

    rows = _rows(graph, graph.repeated(start, kind, step))
    at = place(graph, rows)
    none = graph.add("Sub", marked_rows, marked_rows)
    sizes = graph.add("ScatterElements", none, at, marked_rows, axis=1, reduction="add")
    size = graph.add("GatherElements", sizes, at, axis=1)
    is_large = graph.add("Not", graph.add("Less", size, graph.constant(minimum, number)))
    large = graph.add("Reshape", graph.add("Cast", is_large, to=TensorProto.FLOAT), shape)
    return graph.add("Mul", large, marked)


def _rows(graph: Graph, x: str) -> str:
    """`[N, 1, h, w]` as `[N, h w]`."""
    return graph.add("Reshape", x, graph.constant([0, -1], np.int64))
