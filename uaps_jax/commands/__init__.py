"""The commands, one file each: they read a request, and write a work directory."""

from __future__ import annotations

from collections.abc import Callable

from uaps_jax.commands import audit, evaluate, export, predict, replay, split, study, train
from uaps_jax.commands.request import Request
from uaps_jax.config import Config, ConfigError
from uaps_jax.study.grid import Grid

Command = Callable[[Request], None]

COMMANDS: dict[str, Command] = {
    "audit": audit.audit,
    "train": train.train,
    "split": split.split,
    "evaluate": evaluate.evaluate,
    "predict": predict.predict,
    "export": export.export,
    "replay": replay.replay,
}
"""What can be done with one training, by the name that `--mode` gives it."""


def choose(config: Config | Grid | None, mode: str | None) -> Command:
    """What is to be done: the kind of the configuration decides, and of a training the mode.

    Args:
      config: of a training or of a study; None where a checkpoint holds it.
      mode: one of `COMMANDS`; None trains.

    Raises:
      ConfigError: a mode is given for a study.
    """
    if isinstance(config, Grid):
        if mode is not None:
            raise ConfigError(
                f"--mode={mode} is for one training, and this --config is a study: leave --mode out"
            )
        return study.study
    return COMMANDS[mode or "train"]
