"""Writes a trained model as a file, after comparing it with its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
import onnxruntime

from uaps_jax import files
from uaps_jax.config import Config
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import comparison, stablehlo
from uaps_jax.inference.comparison import Run
from uaps_jax.inference.exported import run_of
from uaps_jax.inference.onnx_file import model as onnx_model
from uaps_jax.inference.outputs import ExportError
from uaps_jax.methods.base import Method
from uaps_jax.methods.uncertainties import Exportable
from uaps_jax.trees import Tree


def write(
    file: Path,
    config: Config,
    method: Method,
    variables: Tree,
    class_names: Sequence[str],
    about: Mapping[str, str],
    uncertainty: str,
    rule: ScoreRule,
    decision: Decision | None,
    *,
    full_size: bool = False,
) -> comparison.Differences:
    """Writes the model of the configured predictor as ONNX, if it equals the checkpoint.

    Args:
      file: to write; its folder is made.
      config: of the checkpoint; it computes in float32, as the exported model does.
      method: built from `config`.
      variables: of the checkpoint.
      class_names: by class id.
      about: further entries of the metadata.
      uncertainty: "entropy", of the exported probabilities, or "method", the uncertainty of the
        method, on clean features.
      rule: of the score of an image.
      decision: makes the verdict, by a score of this rule; None for no verdict.
      full_size: whether the probabilities are at the size of the photographs.

    Returns:
      The largest differences on random images.

    Raises:
      ExportError: they exceed `comparison.LIMITS`, the scores are not those of the probabilities,
        or the network or the uncertainty has no ONNX form; nothing is written.
    """
    predictor = method.predictor(config.evaluation.predictor)
    exported = _uncertainty(method) if uncertainty == "method" else None

    def made(*, full_size: bool) -> bytes:
        model = onnx_model.to_onnx(
            config,
            predictor,
            exported,
            variables,
            class_names,
            about,
            rule,
            decision,
            full_size=full_size,
        )
        return bytes(model.SerializeToString())

    data = made(full_size=False)
    run = in_onnx_runtime(data)
    worst = comparison.compared(file, run, config, predictor, exported, variables, rule, decision)
    if full_size:
        data = made(full_size=True)
        comparison.check_full_size(file, run, in_onnx_runtime(data), config)
    _write(file, data)
    return worst


def write_stablehlo(
    file: Path,
    config: Config,
    method: Method,
    variables: Tree,
    uncertainty: str,
    rule: ScoreRule,
    decision: Decision | None,
    *,
    full_size: bool = False,
) -> comparison.Differences:
    """Writes the model of the configured predictor for JAX; otherwise as `write`."""
    predictor = method.predictor(config.evaluation.predictor)
    exported = _uncertainty(method) if uncertainty == "method" else None

    def made(*, full_size: bool) -> bytes:
        program = stablehlo.to_stablehlo(
            config, predictor, exported, variables, rule, decision, full_size=full_size
        )
        return bytes(program.serialize())

    data = made(full_size=False)
    run = in_jax(data)
    worst = comparison.compared(file, run, config, predictor, exported, variables, rule, decision)
    if full_size:
        data = made(full_size=True)
        comparison.check_full_size(file, run, in_jax(data), config)
    _write(file, data)
    return worst


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(file, data)


def in_onnx_runtime(model: bytes) -> Run:
    """The function that an ONNX file computes."""
    return run_of(onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]))


def in_jax(model: bytes) -> Run:
    """The function that a StableHLO file computes."""
    exported = jax.export.deserialize(bytearray(model))
    return lambda images: {name: np.asarray(value) for name, value in exported.call(images).items()}


def _uncertainty(method: Method) -> Exportable | None:
    """The uncertainty of a method, on clean features; None for the entropy.

    Raises:
      ExportError: it is no `Exportable`.
    """
    if method.uncertainty is None:
        return None
    if not isinstance(method.uncertainty, Exportable):
        raise ExportError(
            "the uncertainty of this method cannot be exported; export the entropy of its "
            "probabilities, --uncertainty=entropy"
        )
    return method.uncertainty.clean()
