"""A trained model as an ONNX graph that contains all that a user of it needs.

The graph takes photographs as they are, any number of any one size, and gives masks of that size:
it resizes as training did (`data.resampling`), normalises, runs the networks of a
predictor with batch normalisation folded into the convolutions, and averages. The names of the
classes are in its metadata.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

import uaps_jax
from uaps_jax.config import Config
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import exported_input
from uaps_jax.inference.onnx_file import image_score, images, networks
from uaps_jax.inference.onnx_file import uncertainty as uncertainty_lib
from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.methods.base import Predictor, UncertaintyKind
from uaps_jax.methods.uncertainties import Exportable, kind_of
from uaps_jax.trees import Tree

OPSET = 17


def to_onnx(
    config: Config,
    predictor: Predictor,
    uncertainty: Exportable | None,
    variables: Tree,
    class_names: Sequence[str],
    about: Mapping[str, str],
    rule: ScoreRule,
    decision: Decision | None,
    *,
    full_size: bool = False,
) -> onnx.ModelProto:
    """The ONNX model of a predictor, an uncertainty and a decision.

    Args:
      config: size, channels, fit and normalisation are read from it.
      predictor: of the method.
      uncertainty: the uncertainty, computed on clean features; None for the entropy of the
        probabilities.
      variables: of the checkpoint.
      class_names: by class id.
      about: further entries of the metadata.
      rule: of the score of an image.
      decision: makes the verdict, by a score of this rule; None for no verdict.
      full_size: whether the probabilities are at the size of the photographs, by nearest neighbour.

    Returns:
      A model with the input `images`, uint8 RGB `[N, H, W, 3]`, and the outputs `mask`, uint8
      class ids `[N, H, W]`, `probabilities`, float32 `[N, C, h, w]` at the network's size, or
      `[N, C, H, W]`,
      `uncertainty`, float32 `[N, H, W]`, `score`, float32 `[N]`, and, with a decision,
      `not_ok`, bool `[N]`. With `data.fit` "resize", h and w are the configuration's; otherwise
      they are H and W at `data.scale`: images go through the network whole, not in tiles as
      `TrainedModel.outputs` takes them, and the sides are extended to multiples of the network's
      stride by repeating the last row and column.

    Raises:
      ExportError: the network computes something that has no ONNX form.
    """
    graph = Graph()
    x, sizes = images.network_input(graph, config)
    logits = networks.logits(graph, config, predictor, variables, x)
    probabilities = _probabilities(graph, logits, predictor)
    kind = kind_of(uncertainty)
    unsure = uncertainty_lib.uncertainty(graph, config, uncertainty, variables, x, probabilities)
    probabilities, unsure = (
        images.upright(graph, config, value, sizes) for value in (probabilities, unsure)
    )
    mask = graph.add("ArgMax", probabilities, axis=1, keepdims=0)
    mask = images.at_original_size(graph, mask, sizes)
    graph.output("mask", graph.add("Cast", mask, to=TensorProto.UINT8))
    graph.output(
        "probabilities",
        images.at_original_size(graph, probabilities, sizes, 2) if full_size else probabilities,
    )
    unsure = graph.add("Squeeze", unsure, graph.constant([1], np.int64))
    graph.output("uncertainty", images.at_original_size(graph, unsure, sizes))
    pixels = config.data.height * config.data.width if config.data.fit == "resize" else None
    score = image_score.scores(graph, probabilities, rule, pixels)
    graph.output("score", score)
    if decision is not None:
        threshold = graph.constant(decision.threshold, np.float32)
        is_ok = graph.add("LessOrEqual", score, threshold)
        graph.output("not_ok", graph.add("Not", is_ok))  # NaN, too
    graph.drop_unused()

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "uaps_jax",
            _inputs(),
            _output_infos(config, class_names, kind, rule, decision, full_size=full_size),
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="uaps_jax",
        producer_version=uaps_jax.__version__,
        doc_string=(
            f"Segments photographs into the classes {', '.join(class_names)}. Resizing and "
            "normalisation are part of the model."
        ),
        ir_version=10,
    )
    classes = json.dumps(list(class_names))
    props = {
        "classes": classes,
        "input": exported_input.of_config(config).to_json(),
        "score_rule": json.dumps(dataclasses.asdict(rule)),
        "uncertainty": kind.name,
    }
    if decision is not None:
        props["decision"] = decision.to_json()
    helper.set_model_props(model, {**props, **about})
    onnx.checker.check_model(model)
    return model


def _inputs() -> list[onnx.ValueInfoProto]:
    text = "Photographs, RGB, 0 to 255, channels last: any number N of any one size H x W."
    return [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3], text)]


def _output_infos(
    config: Config,
    class_names: Sequence[str],
    kind: UncertaintyKind,
    rule: ScoreRule,
    decision: Decision | None,
    *,
    full_size: bool,
) -> list[onnx.ValueInfoProto]:
    height_and_width: list[Any] = ["H", "W"] if full_size else ["h", "w"]
    size = "the size of the photographs"
    if config.data.scale != 1 and not full_size:
        size += f" times {config.data.scale}, rounded up"
    if config.data.fit == "resize" and not full_size:
        height_and_width = [config.data.height, config.data.width]
        size = "the size of the network's input"
    ids = ", ".join(f"{label} {name}" for label, name in enumerate(class_names))
    infos = [
        (
            "mask",
            TensorProto.UINT8,
            ["N", "H", "W"],
            f"The most probable class of each pixel: {ids}.",
        ),
        (
            "probabilities",
            TensorProto.FLOAT,
            ["N", config.data.classes, *height_and_width],
            f"The probability of each class, at {size}.",
        ),
        (
            "uncertainty",
            TensorProto.FLOAT,
            ["N", "H", "W"],
            f"The uncertainty of each pixel: {uncertainty_lib.DESCRIPTIONS[kind]}.",
        ),
        (
            "score",
            TensorProto.FLOAT,
            ["N"],
            f"How much of a defect each photograph shows: {rule.words()}.",
        ),
    ]
    if decision is not None:
        text = f"Whether each photograph is not OK: its score is above {decision.threshold:g}."
        infos.append(("not_ok", TensorProto.BOOL, ["N"], text))
    return [helper.make_tensor_value_info(*info) for info in infos]


def _probabilities(graph: Graph, logits: Sequence[str], predictor: Predictor) -> str:
    """The mean of the decoders, `[N, C, h, w]`."""
    if predictor.mean_of == "logits":
        return graph.softmax(graph.mean(*logits))
    return graph.mean(*(graph.softmax(one) for one in logits))
