"""Trainings of other recipes that need not be repeated: the same settings, data and files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from absl import logging

from uaps_jax.config import ConfigError
from uaps_jax.recipes import record as records_lib
from uaps_jax.recipes.record import Record
from uaps_jax.recipes.stage import Training
from uaps_jax.training.progress import duration

COPYING = ".copying"
"""What the name of a folder ends with while it is copied."""


def copied(
    stage: Training, folder: Path, among: Path, is_equal: Callable[[Record], bool]
) -> Record | None:
    """Copies a finished training that has all that this one would be made from.

    Args:
      stage: the training, which has not been started.
      folder: of this stage.
      among: the folder in which recipes are searched, at any depth.
      is_equal: whether the record of a training is one of these settings, data and files.

    Returns:
      The record of the training that was copied, with the seconds that it took there; None if there
      is none, or if its files were changed.
    """
    for file in sorted(among.rglob(records_lib.FILE)):
        source = file.parent
        if source.name.endswith(COPYING) or (found := _equal(source, is_equal)) is None:
            continue
        if records_lib.changed_by_hand(stage, source, found):
            logging.warning("%s is not reused: its files were changed", source)
            continue
        _copy(source, folder)
        text = "stage %s: copied from %s, where it took %s"
        logging.info(text, stage.name, source, duration(found.seconds))
        return found
    return None


def _equal(folder: Path, is_equal: Callable[[Record], bool]) -> Record | None:
    """The record in a folder, if it is that of an equal training that is done."""
    try:
        found = records_lib.read(folder)
        is_done = found is not None and records_lib.OF_TRAINING[0] in (found.outputs or ())
        return found if found is not None and is_done and is_equal(found) else None
    except ConfigError:  # unreadable, or of a later version
        return None


def _copy(source: Path, target: Path) -> None:
    """Copies a folder, so that it is there as a whole or not at all."""
    begun = target.with_name(f".{target.name}{COPYING}")
    shutil.rmtree(begun, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, begun)
    if target.exists():  # of a process that was stopped before it wrote anything
        target.rmdir()
    begun.rename(target)
