"""Writes a checkpoint as an ONNX file, and as StableHLO if asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from uaps_jax import inference
from uaps_jax.commands import loading
from uaps_jax.commands.request import Request
from uaps_jax.training import checkpoints


def export(request: Request) -> None:
    """Writes a checkpoint as `export/step_<N>.onnx`, with preprocessing and class names inside.

    With `request.stablehlo`, `export/step_<N>.stablehlo` is written beside it.
    """
    from uaps_jax.inference import export as exporter  # onnx takes a second to import

    exact = loading.overrides(request) | {"network.dtype": "float32"}
    model = inference.load(request.workdir, request.checkpoint, overrides=exact)
    about = {
        "method": model.config.method.name,
        "predictor": model.predictor,
        "step": str(model.step),
    }
    if model.photographs is not None:
        about["photographs"] = json.dumps(model.photographs.to_json())
    of_model = (model.config, model.method, model.variables)
    judged_by = (model.score_rule, model.decision)
    if model.decision is None:
        logging.warning(
            "checkpoint %s has no decision: the exported model gives scores and no verdicts. "
            "--mode=evaluate sets one, or says why it cannot",
            model.checkpoint,
        )
    dtype = checkpoints.read_config(model.directory, model.step).network.dtype
    if model.decision is not None and dtype != "float32":
        logging.warning(
            "the threshold was set by scores that were computed in %s; the exported model computes "
            "in float32: of images whose score is near the threshold, the verdict can differ from "
            "that of --mode=predict",
            dtype,
        )
    file = model.directory / "export" / f"step_{model.step}.onnx"
    found = exporter.write(
        file,
        *of_model,
        model.class_names,
        about,
        request.uncertainty,
        *judged_by,
        full_size=request.full_size,
    )
    _report(file, found)
    if request.stablehlo:
        file = file.with_suffix(".stablehlo")
        found = exporter.write_stablehlo(
            file, *of_model, request.uncertainty, *judged_by, full_size=request.full_size
        )
        _report(file, found)


def _report(file: Path, differences: Sequence[float]) -> None:
    logging.info(
        "%s: %.1f MiB; the largest differences from the checkpoint are %.0e of a probability and "
        "%.0e of uncertainty",
        file,
        file.stat().st_size / 2**20,
        *differences,
    )
