"""A trained model as an ONNX file, with everything that a user of it needs inside.

The graph takes photographs as they are, any number of any one size, and gives masks of that size:
it resizes as training did (nearest neighbour, in whole numbers), normalises, runs the networks of a
predictor with batch normalisation folded into the convolutions, and averages. The names of the
classes are in its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from uaps_jax import files
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import prepare
from uaps_jax.inference import onnx_networks
from uaps_jax.inference.onnx_graph import Graph
from uaps_jax.methods.base import Method, Predictor
from uaps_jax.trees import Tree

OPSET = 17
AGREEMENT = 1e-4
"""Largest difference of a probability from the checkpoint's that an export may have: on noise, that
is; on images it is a tenth of that and less."""


class ExportError(ConfigError):
    """A network without an ONNX form, or a file that computes other numbers than its checkpoint."""


def to_onnx(
    config: Config,
    predictor: Predictor,
    variables: Tree,
    class_names: Sequence[str],
    about: Mapping[str, str],
) -> onnx.ModelProto:
    """The model of one predictor.

    Args:
      config: size, channels, fit and normalisation are read from it.
      predictor: of the method.
      variables: of the checkpoint.
      class_names: by class id.
      about: more for the metadata.

    Returns:
      A model with the input `images`, uint8 RGB `[N, H, W, 3]`, and the outputs `mask`, uint8
      class ids `[N, H, W]`, and `probabilities`, float32 `[N, C, h, w]` at the network's size. With
      `data.fit` "resize", h and w are the configuration's; with "pad" they are H and W: images go
      through the network whole, not in tiles as `predict_folder` takes them, and what it needs at
      the bottom and on the right continues the edges.

    Raises:
      ExportError: the family of networks has no ONNX form.
    """
    emit = onnx_networks.NETWORKS.get(config.network.name)
    if emit is None:
        raise ExportError(
            f"network {config.network.name} has no ONNX form; there is one of "
            f"{', '.join(onnx_networks.NETWORKS)}"
        )
    graph = Graph()
    x, size = _network_input(graph, config)
    heads = [
        logits
        for network in predictor.networks(variables)
        for logits in emit(graph, jax.tree.map(np.asarray, network), x)
    ]
    if predictor.mean_of == "probabilities":
        heads = [graph.softmax(head) for head in heads]
    mean = graph.add("Mean", *heads) if len(heads) > 1 else heads[0]
    if predictor.mean_of == "logits":
        mean = graph.softmax(mean)
    _outputs(graph, config, mean, size)

    rgb: list[Any] = ["N", "H", "W", 3]
    shape: list[Any] = ["N", config.data.classes, "h", "w"]
    if config.data.fit == "resize":
        shape[2:] = [config.data.height, config.data.width]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "uaps_jax",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, rgb)],
            [
                helper.make_tensor_value_info("mask", TensorProto.UINT8, ["N", "H", "W"]),
                helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape),
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="uaps_jax",
        ir_version=10,
    )
    helper.set_model_props(model, {"classes": json.dumps(list(class_names)), **about})
    onnx.checker.check_model(model)
    return model


def write(
    file: Path,
    config: Config,
    method: Method,
    variables: Tree,
    class_names: Sequence[str],
    about: Mapping[str, str],
) -> float:
    """Writes the model of the configured predictor, after comparing it with the checkpoint's.

    `config` and `method` compute in float32, as the exported model does.

    Returns:
      The largest difference of a probability, on random images.

    Raises:
      ExportError: it is larger than `AGREEMENT`; nothing is written.
    """
    predictor = method.predictor(config.evaluation.predictor)
    model = to_onnx(config, predictor, variables, class_names, about).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    difference = 0.0
    random = np.random.default_rng(0)
    for count in (1, 3):
        shape = (count, config.data.height, config.data.width, 3)
        images = random.integers(0, 256, shape, np.uint8)
        difference = max(difference, disagreement(session, config, predictor, variables, images))
    if not difference <= AGREEMENT:
        raise ExportError(
            f"probabilities of the exported model differ by {difference:.1e} from the "
            f"checkpoint's, more than {AGREEMENT:.0e}: {file} is not written"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(file, model)
    return difference


def disagreement(
    session: onnxruntime.InferenceSession,
    config: Config,
    predictor: Predictor,
    variables: Tree,
    images: np.ndarray,
) -> float:
    """Largest difference of the probabilities of an exported model and of its checkpoint.

    Args:
      session: of the exported model.
      config: of the checkpoint.
      predictor: that was exported, computing in float32.
      variables: of the checkpoint.
      images: uint8 `[N, height, width, 3]`, of the network's size (before any transposition).
    """
    seen = prepare.channels(images, config.data)
    if config.data.transpose:
        seen = seen.swapaxes(1, 2)
    with jax.default_matmul_precision("highest"):
        expected = np.asarray(jax.jit(predictor)(variables, seen)).transpose(0, 3, 1, 2)
    if config.data.transpose:
        expected = expected.swapaxes(2, 3)
    actual = session.run(["probabilities"], {"images": images})[0]
    return float(np.abs(actual - expected).max())


def _network_input(graph: Graph, config: Config) -> tuple[str, tuple[str, str]]:
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


def _outputs(graph: Graph, config: Config, mean: str, size: tuple[str, str]) -> None:
    """`probabilities`, upright, and `mask`, at the size of the images."""
    data = config.data
    if data.transpose:
        mean = graph.add("Transpose", mean, perm=(0, 1, 3, 2))
    if data.fit == "pad":  # what was added at the bottom and on the right goes
        ends = graph.add("Concat", *(_as_vector(graph, s) for s in size), axis=0)
        starts, axes = (graph.constant(v, np.int64) for v in ([0, 0], [2, 3]))
        mean = graph.add("Slice", mean, starts, ends, axes)
    graph.add("Identity", mean, name="probabilities")
    ids = graph.add("ArgMax", mean, axis=1, keepdims=0)
    if data.fit == "resize":
        for axis, (length, seen) in enumerate(
            zip(size, (data.height, data.width), strict=True), start=1
        ):
            places = graph.add("Range", graph.number(0), length, graph.number(1))
            scaled = graph.add("Mul", places, graph.number(seen))
            ids = graph.add("Gather", ids, graph.add("Div", scaled, length), axis=axis)
    graph.add("Cast", ids, to=TensorProto.UINT8, name="mask")


def _as_vector(graph: Graph, scalar: str) -> str:
    return graph.add("Reshape", scalar, graph.constant([1], np.int64))
