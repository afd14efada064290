"""A trained run, read only: its configuration, its method and its checkpoints."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax

from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.commands.request import Request
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import leakage, protocols
from uaps_jax.methods.base import Method
from uaps_jax.training import checkpoints, workdir
from uaps_jax.trees import Tree

ADJUSTABLE = (*workdir.MACHINE, "network.dtype", "data.folder.white")
"""Settings that may differ between training and evaluation."""

ADJUSTABLE_SECTIONS = ("checkpoint.", "evaluation.")
"""Sections all of whose settings may."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One checkpoint of a directory: `which` was asked for, and `step` it is."""

    directory: Path
    which: str
    step: int
    variables: Tree

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """The record of its data, which the earliest checkpoints do not have."""
        return checkpoints.read_record(self.directory, self.step)

    @property
    def labeled_groups(self) -> int | None:
        """Leakage groups of the labeled images; None where the checkpoint does not say that."""
        counts: leakage.Sizes = self.record.get(protocols.SIZES, {})
        return counts["labeled"]["groups"] if counts else None


class TrainedRun:
    """The configuration and the method of a run, for all of its checkpoints.

    Attributes:
      config: validated.
      directory: of the run.
      method: that the configuration names.
      predictor: name of the one that is evaluated.
    """

    def __init__(self, config: Config, directory: Path) -> None:
        self.config, self.directory = config, directory
        self.method: Method = methods.build(config)
        self.predictor = config.evaluation.predictor or next(iter(self.method.predictors))

    def restore(self, which: str) -> Checkpoint:
        """Reads a checkpoint: "best", "latest" or a step."""
        step = checkpoints.find_step(self.directory, which)
        like = jax.eval_shape(lambda: self.method.variables(*self.method.init(0)))
        variables = checkpoints.restore_variables(self.directory, step, like)
        return Checkpoint(directory=self.directory, which=which, step=step, variables=variables)


def open_run(request: Request, step: int) -> TrainedRun:
    """The run as its checkpoint of a step describes it.

    Overrides may say where data are and how to evaluate; in all else they have to agree with the
    checkpoint. What a configuration file says by itself does not count.

    Raises:
      ConfigError: they do not; the text shows the difference.
    """
    config = checkpoints.read_config(request.workdir, step)
    stored = config_lib.flatten(config)
    asked = stored | _overrides(request, config)
    asked["data.classes"] = asked["data.classes"] or config.data.classes
    changed = [
        difference
        for difference in config_lib.differences(stored, asked)
        if difference.key not in ADJUSTABLE and not difference.key.startswith(ADJUSTABLE_SECTIONS)
    ]
    if changed:
        raise ConfigError(
            f"the checkpoint of step {step} in {request.workdir} was trained with other settings:\n"
            + "\n".join(f"  {config_lib.describe(difference)}" for difference in changed)
            + "\nLeave these overrides out: a trained run keeps its own."
        )
    return TrainedRun(config_lib.validate(config_lib.from_flat(asked)), request.workdir)


def _overrides(request: Request, config: Config) -> dict[str, Any]:
    """The settings that the command line names, by dotted key.

    Raises:
      ConfigError: the method of the checkpoint has no such setting.
    """
    for key in request.overrides:
        config_lib.check_key(config, key)
    if not isinstance(request.config, Config):
        return {}
    given = config_lib.flatten(request.config)
    return {key: given[key] for key in request.overrides}
