"""The trained model that a request is about."""

from __future__ import annotations

from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import inference
from uaps_jax.commands.request import Request
from uaps_jax.config import Config, ConfigError
from uaps_jax.evaluation import decision, image_score
from uaps_jax.inference import TrainedModel

DECISION = "evaluation.decision."


def load(request: Request, checkpoint: str) -> TrainedModel:
    """A checkpoint of the request's run, with the overrides of the command line.

    What a configuration file says by itself does not count. Raises as `inference.load`.
    """
    return inference.load(request.workdir, checkpoint, overrides=overrides(request))


def overrides(request: Request) -> dict[str, Any]:
    """The settings that the command line names, by dotted key."""
    if not isinstance(request.config, Config):
        return {}
    given = config_lib.flatten(request.config)
    return {key: given[key] for key in request.overrides}


def check_decision(request: Request, model: TrainedModel) -> None:
    """Checks that the decision of a model is the one that the command line asks for, if it does.

    Raises:
      ConfigError: it was set with other settings.
    """
    asked = [key for key in request.overrides if key.startswith(DECISION)]
    settings = model.config.evaluation.decision
    if not asked or model.decision is None:
        return
    rule, target = image_score.rule_of(settings), decision.target_of(settings)
    if (rule, target) != (model.decision.rule, model.decision.target):
        raise ConfigError(
            f"{' '.join(f'--config.{key}' for key in asked)}: the decision of step {model.step} is "
            f"for {model.decision.target.words()}, by the {model.decision.rule.words()}. "
            "Set another one first, by --mode=evaluate with these flags"
        )
