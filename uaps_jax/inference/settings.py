"""The settings of a checkpoint, and which of them evaluation may change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax.config import Config, ConfigError
from uaps_jax.evaluation import decision as decision_lib
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.decision import Decision
from uaps_jax.training import checkpoints, workdir

ADJUSTABLE = (*workdir.MACHINE, "network.dtype", "data.folder.white")
"""Settings that may differ between training and evaluation."""

ADJUSTABLE_SECTIONS = ("checkpoint.", "evaluation.")
"""Sections all of whose settings may."""


def read(directory: Path, step: int, overrides: Mapping[str, Any]) -> Config:
    """The validated settings of a checkpoint, with overrides by dotted key.

    Overrides may say where data are and how to evaluate; in all else they have to agree with the
    checkpoint.

    Raises:
      CheckpointError: the checkpoint cannot be read.
      ConfigError: an override does not exist, or does not agree; the text shows the difference.
    """
    config = checkpoints.read_config(directory, step)
    for key in overrides:
        config_lib.check_key(config, key)
    stored = config_lib.flatten(config)
    asked = stored | dict(overrides)
    asked["data.classes"] = asked["data.classes"] or config.data.classes
    changed = [
        difference
        for difference in config_lib.differences(stored, asked)
        if difference.key not in ADJUSTABLE and not difference.key.startswith(ADJUSTABLE_SECTIONS)
    ]
    if changed:
        raise ConfigError(
            f"the checkpoint of step {step} in {directory} was trained with other settings:\n"
            + "\n".join(f"  {config_lib.describe(difference)}" for difference in changed)
            + "\nLeave these overrides out: a trained run keeps its own."
        )
    return config_lib.validate(config_lib.from_flat(asked))


def check_decision(
    config: Config, decision: Decision | None, step: int, overrides: Iterable[str]
) -> None:
    """Checks that a decision was set with the settings that overrides ask for, if they do.

    Args:
      config: with the overrides.
      decision: of the checkpoint; None where none is set.
      step: of the checkpoint.
      overrides: their dotted keys.

    Raises:
      ConfigError: it was set with others.
    """
    asked = [key for key in overrides if key.startswith("evaluation.decision.")]
    if not asked or decision is None:
        return
    of_decision = config.evaluation.decision
    rule, target = image_score.rule_of(of_decision), decision_lib.target_of(of_decision)
    if (rule, target) != (decision.rule, decision.target):
        raise ConfigError(
            f"{', '.join(asked)}: the decision of step {step} is for {decision.target.words()}, by "
            f"the {decision.rule.words()}. Set another one first, by --mode=evaluate with "
            f"{' '.join(f'--config.{key}' for key in asked)}; or leave these settings out"
        )
