"""The work of a stage: in this process, or in one of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import logging

from uaps_jax import child_process
from uaps_jax.config import Config
from uaps_jax.recipes.errors import ProcessFailed
from uaps_jax.recipes.stage import WAITING, Place, Stage, Training, Waiting

STAGE_VARIABLE = "UAPS_JAX_STAGE"
"""The environment variable of the process of a stage: the stage's name."""

Work = Callable[[Stage, Place], object]
"""Writes the files of a stage whose inputs are done, except its record."""

Train = Callable[[Config, Path], object]
"""Trains or resumes a run of a configuration in a work directory."""


def in_this_process(train: Train) -> Work:
    """The work in this process."""

    def work(stage: Stage, place: Place) -> None:
        if isinstance(stage, Training):
            train(stage.configure(place.inputs), place.folder)
        else:
            stage.write(place)

    return work


def in_own_process(command: Sequence[str]) -> Work:
    """The work in a process, which ends with this one.

    Args:
      command: of this recipe; where `STAGE_VARIABLE` names a stage, it runs `run_recipe.run_stage`.

    Raises, where it is called:
      ProcessFailed: the process did.
      Waiting: the stage waits for a person.
      Stopped: by a signal; the process was terminated.
    """

    def work(stage: Stage, place: Place) -> None:
        logging.info("its process writes %s", place.folder / child_process.LOG)
        environment = os.environ | {STAGE_VARIABLE: stage.name}
        running: child_process.Running = {}
        with child_process.terminated_on_signal(threading.Event(), running):
            ended = child_process.run(command, place.folder, environment, running, 0, set())
        if ended.status == WAITING and ended.message.startswith(child_process.WAITING):
            raise Waiting(ended.message.removeprefix(child_process.WAITING))
        if ended.status:
            raise ProcessFailed(ended.whole_reason)

    return work
