"""Serves an exported file on this machine: photographs in, verdicts out."""

from __future__ import annotations

from absl import logging

from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError


def serve(request: Request) -> None:
    """Serves the exported ONNX file `request.input` on a port of 127.0.0.1, until a signal.

    Raises:
      ConfigError: there is no such file, it cannot be served, or the port is in use.
    """
    if request.input is None:
        raise ConfigError(
            "--mode=serve needs --input=FILE.onnx, which --mode=export writes into the folder "
            "export of a run"
        )
    from uaps_jax.inference import exported  # onnx takes a second to import
    from uaps_jax.serving import server
    from uaps_jax.serving.service import Service

    service = Service(exported.open_exported(request.input), request.mm_per_pixel)
    seconds = service.warm_up()
    about = service.about()
    logging.info("%s", ", ".join(f"{name} {value}" for name, value in about.items()))
    logging.info("the first batch took %.0f ms", 1000 * seconds)
    if about["threshold"] is None:
        logging.warning(
            "%s has no decision: it gives scores and no verdicts. --mode=evaluate sets one; export "
            "the model again after it",
            request.input,
        )
    server.serve(service, server.DEFAULT_PORT if request.port is None else request.port)
