"""Writes a checkpoint as an ONNX file."""

from __future__ import annotations

import dataclasses

from absl import logging

from uaps_jax import methods
from uaps_jax.commands.request import Request
from uaps_jax.commands.trained import open_run
from uaps_jax.training import checkpoints


def export(request: Request) -> None:
    """Writes a checkpoint as `export/step_<N>.onnx`, preprocessing and class names inside."""
    from uaps_jax.inference import export as exporter  # onnx takes a second to import

    run = open_run(request, checkpoints.find_step(request.workdir, request.checkpoint))
    checkpoint = run.restore(request.checkpoint)
    exact = dataclasses.replace(run.config.network, dtype="float32")
    config = dataclasses.replace(run.config, network=exact)
    about = {
        "method": run.config.method.name,
        "predictor": run.predictor,
        "step": str(checkpoint.step),
        "fit": config.data.fit,
        "trained_size": f"{config.data.height} x {config.data.width}",
    }
    file = run.directory / "export" / f"step_{checkpoint.step}.onnx"
    difference = exporter.write(
        file,
        config,
        methods.build(config),
        checkpoint.variables,
        checkpoint.record["classes"],
        about,
    )
    logging.info(
        "%s: %.1f MiB, probabilities within %.0e of the checkpoint's",
        file,
        file.stat().st_size / 2**20,
        difference,
    )
