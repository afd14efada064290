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
from onnx import TensorProto, helper, numpy_helper

from uaps_jax import files
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import prepare
from uaps_jax.methods.base import Method, Predictor
from uaps_jax.models import layers, stacked
from uaps_jax.trees import Tree

OPSET = 17
AGREEMENT = 1e-4
"""Largest difference of a probability from the checkpoint's that an export may have: on noise, that
is; on images it is a tenth of that and less."""


class ExportError(ConfigError):
    """The exported file does not compute what the checkpoint does; it is not kept."""


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
    """
    graph = _Graph()
    x, size = _network_input(graph, config)
    heads = [
        logits
        for network in predictor.networks(variables)
        for logits in _network(graph, jax.tree.map(np.asarray, network), x)
    ]
    if predictor.mean_of == "probabilities":
        heads = [_softmax(graph, head) for head in heads]
    mean = graph.add("Mean", *heads) if len(heads) > 1 else heads[0]
    if predictor.mean_of == "logits":
        mean = _softmax(graph, mean)
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
    found = session.run(["probabilities"], {"images": images})[0]
    return float(np.abs(found - expected).max())


class _Graph:
    """Nodes and constants in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

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


def _network_input(graph: _Graph, config: Config) -> tuple[str, tuple[str, str]]:
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


def _outputs(graph: _Graph, config: Config, mean: str, size: tuple[str, str]) -> None:
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


def _softmax(graph: _Graph, x: str) -> str:
    """Over the classes of `[N, C, h, w]`; ONNX Runtime's own turns the array around for that."""
    highest = graph.add("ReduceMax", x, axes=[1], keepdims=1)
    powers = graph.add("Exp", graph.add("Sub", x, highest))
    axes = graph.constant([1], np.int64)
    return graph.add("Div", powers, graph.add("ReduceSum", powers, axes, keepdims=1))


def _as_vector(graph: _Graph, scalar: str) -> str:
    return graph.add("Reshape", scalar, graph.constant([1], np.int64))


def _network(graph: _Graph, network: Tree, x: str) -> list[str]:
    """The logits `[N, C, h, w]` of every decoder of a network."""
    params, stats = network["params"], network["batch_stats"]
    pyramid: list[str] = []
    for level in range(len(params["encoder"])):
        if level:
            x = graph.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
        block = f"block_{level}"
        x = _block(graph, params["encoder"][block], stats["encoder"][block], x)
        pyramid.append(x)
    heads = []
    decoders = {"params": params["decoders"], "stats": stats["decoders"]}
    for number in range(len(jax.tree.leaves(decoders)[0])):
        one = stacked.entry(decoders, number)
        p, s = one["params"], one["stats"]
        x = pyramid[-1]
        for level in reversed(range(len(pyramid) - 1)):
            x = _convolution(graph, x, **p[f"reduce_{level}"])
            x = graph.add(
                "Resize",
                x,
                "",
                graph.constant([1, 1, 2, 2], np.float32),
                mode="linear",
                coordinate_transformation_mode="align_corners",
            )
            x = graph.add("Concat", pyramid[level], x, axis=1)
            x = _block(graph, p[f"block_{level}"], s[f"block_{level}"], x)
        heads.append(_convolution(graph, x, **p["classifier"]))
    return heads


def _block(graph: _Graph, params: Tree, stats: Tree, x: str) -> str:
    """Twice convolution, batch normalisation (folded into it) and LeakyReLU."""
    for number in (0, 1):
        conv, norm = params[f"conv_{number}"], params[f"norm_{number}"]
        running = stats[f"norm_{number}"]
        inverse = 1 / np.sqrt(running["var"].astype(np.float64) + layers.BatchNorm.epsilon)
        factor = norm["scale"] * inverse
        bias = (conv["bias"] - running["mean"]) * factor + norm["bias"]
        x = _convolution(graph, x, kernel=conv["kernel"] * factor, bias=bias)
        x = graph.add("LeakyRelu", x, alpha=layers.LEAKY_SLOPE)
    return x


def _convolution(graph: _Graph, x: str, *, kernel: np.ndarray, bias: np.ndarray) -> str:
    """A convolution that keeps the size; `kernel` `[k, k, C_in, C_out]`."""
    around = kernel.shape[0] // 2
    return graph.add(
        "Conv",
        x,
        graph.constant(kernel.transpose(3, 2, 0, 1), np.float32),
        graph.constant(bias, np.float32),
        pads=[around] * 4,
    )
