"""The trained model that a request is about."""

from __future__ import annotations

from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import inference
from uaps_jax.commands.request import Request
from uaps_jax.config import Config
from uaps_jax.inference import TrainedModel, settings, trained
from uaps_jax.training import checkpoints


def load(request: Request, checkpoint: str) -> TrainedModel:
    """A checkpoint of the request's run, with the overrides of the command line.

    What a configuration file says by itself does not count. Raises as `inference.load`.
    """
    return inference.load(request.workdir, checkpoint, overrides=overrides(request))


def load_to_decide(request: Request, checkpoint: str) -> TrainedModel:
    """As `load`, of a checkpoint whose decision is to be set by the overrides."""
    step = checkpoints.find_step(request.workdir, checkpoint)
    config = settings.read(request.workdir, step, overrides(request))
    return trained.restore(config, request.workdir, checkpoint)


def overrides(request: Request) -> dict[str, Any]:
    """The settings that the command line names, by dotted key."""
    if not isinstance(request.config, Config):
        return {}
    given = config_lib.flatten(request.config)
    return {key: given[key] for key in request.overrides}
