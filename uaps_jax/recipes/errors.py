"""What a person is told when a stage of a recipe fails or is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from uaps_jax import files
from uaps_jax.child_process import Stopped
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import DataError, UnreadableError
from uaps_jax.recipes.stage import Stage
from uaps_jax.training import checkpoints, failures
from uaps_jax.training.interrupt import Interrupted

WITHOUT_STAGE = "run it without --stage to go on"
"""After `--stage=NAME`: the same command would begin the stage again."""


class ProcessFailed(RuntimeError):
    """The process of a stage failed; the message says why."""


CORRECTABLE = (
    ConfigError,
    DataError,
    UnreadableError,
    OSError,
    checkpoints.CheckpointError,
    failures.NonFiniteLoss,
    ProcessFailed,
)
"""Errors of a stage that a person can correct."""


class StageFailed(RuntimeError):
    """A stage of a recipe failed; the message says which and why."""


@contextlib.contextmanager
def correctable(text: Callable[[Exception], str]) -> Iterator[None]:
    """Replaces errors that a person can correct, except that of a full disk, by their texts.

    Raises:
      StageFailed: in place of such an error.
    """
    try:
        yield
    except CORRECTABLE as error:
        if isinstance(error, OSError) and files.is_disk_full(error):
            raise
        raise StageFailed(text(error)) from error


@contextlib.contextmanager
def told(stage: Stage, *, again: bool) -> Iterator[None]:
    """Adds to the errors and interruptions of a stage which one it is and what a person has to do.

    Args:
      stage: that runs.
      again: whether the command asks for a stage to be run again.

    Raises:
      StageFailed: in place of an error that a person can correct, except that of a full disk.
      Interrupted, Stopped: the stage was.
    """
    how = WITHOUT_STAGE if again else "the same command goes on with this one"

    def text(error: Exception) -> str:
        return f"stage {stage.name} failed: {error}\nThe stages before it are done; {how}."

    try:
        with correctable(text):
            yield
    except Interrupted as stopped:
        if not again:
            raise
        raise Interrupted(stopped.number, stopped.step, WITHOUT_STAGE) from stopped
    except Stopped as stopped:
        raise Stopped(stopped.number, f"stage {stage.name} was stopped; {how}") from stopped
