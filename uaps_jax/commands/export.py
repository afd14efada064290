"""Writes a checkpoint as an ONNX file."""

from __future__ import annotations

from absl import logging

from uaps_jax import inference
from uaps_jax.commands import loading
from uaps_jax.commands.request import Request


def export(request: Request) -> None:
    """Writes a checkpoint as `export/step_<N>.onnx`, preprocessing and class names inside."""
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
    difference = exporter.write(
        file, model.config, model.method, model.variables, model.class_names, about
    )
    logging.info(
        "%s: %.1f MiB, probabilities within %.0e of the checkpoint's",
        file,
        file.stat().st_size / 2**20,
        difference,
    )
