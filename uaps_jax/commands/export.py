"""Writes a checkpoint as an ONNX file."""

from __future__ import annotations

from absl import logging

from uaps_jax import inference
from uaps_jax.commands import loading
from uaps_jax.commands.request import Request


def export(request: Request) -> None:
    """Writes a checkpoint as `export/step_<N>.onnx`, with preprocessing and class names inside."""
    from uaps_jax.inference import export as exporter  # onnx takes a second to import

    exact = loading.overrides(request) | {"network.dtype": "float32"}
    model = inference.load(request.workdir, request.checkpoint, overrides=exact)
    data = model.config.data
    about = {
        "method": model.config.method.name,
        "predictor": model.predictor,
        "step": str(model.step),
        "fit": data.fit,
        "trained_size": f"{data.height} x {data.width}",
    }
    file = model.directory / "export" / f"step_{model.step}.onnx"
    differences = exporter.write(
        file,
        model.config,
        model.method,
        model.variables,
        model.class_names,
        about,
        request.uncertainty,
    )
    logging.info(
        "%s: %.1f MiB; the largest differences from the checkpoint are %.0e of a probability and "
        "%.0e nats of uncertainty",
        file,
        file.stat().st_size / 2**20,
        *differences,
    )
