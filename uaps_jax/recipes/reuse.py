"""Trainings of other recipes that need not be repeated: the same settings, data and files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import logging

from uaps_jax import external, files
from uaps_jax.config import ConfigError
from uaps_jax.recipes import record as records_lib
from uaps_jax.recipes.record import Record
from uaps_jax.recipes.stage import Place, Training
from uaps_jax.training import results
from uaps_jax.training.progress import duration

COPYING = ".copying"
"""What the name of a folder ends with while it is copied."""


def can_be_copied(stage: Training, place: Place) -> bool:
    """Whether its settings, inputs and data say all that a training depends on.

    They do not say what is in the file of a method or network of an outside author, or in targets
    of a person's own.
    """
    config = stage.configure(place.inputs)
    targets = [Path(path) for path in (*config.data.targets.folders, config.data.targets.names)]
    inputs = place.inputs.values()
    return not external.files_of(config) and all(
        path == Path() or any(path.is_relative_to(folder) for folder in inputs) for path in targets
    )


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
      is none whose files are as they were written.

    Raises:
      OSError: the disk is full.
    """
    for source in _stages(among):
        if (found := _equal(source, is_equal)) is None:
            continue
        try:
            is_copied = _copy(stage, found, source, folder)
        except OSError as error:  # another process moves or writes it
            if files.is_disk_full(error):
                raise
            logging.warning("%s is not reused: %s", source, error)
            continue
        if is_copied:
            text = "stage %s: copied from %s, where it took %s"
            logging.info(text, stage.name, source, duration(found.seconds))
            return found
        logging.warning("%s is not reused: its files were changed", source)
    return None


def _stages(among: Path) -> Iterator[Path]:
    """The folders of stages, without those that were run again."""
    for folder, inner, names in os.walk(among):
        if records_lib.FILE in names:
            inner.clear()
            yield Path(folder)
        searched = (n for n in inner if not n.startswith(".") and records_lib.PREVIOUS not in n)
        inner[:] = sorted(searched)


def _equal(folder: Path, is_equal: Callable[[Record], bool]) -> Record | None:
    """The record in a folder, if it is that of an equal training that is done."""
    try:
        found = records_lib.read(folder)
        is_done = found is not None and results.FILE in (found.outputs or ())
        return found if found is not None and is_done and is_equal(found) else None
    except ConfigError:  # unreadable, or of a later version
        return None


def _copy(stage: Training, found: Record, source: Path, target: Path) -> bool:
    """Copies a folder, so that it is there as a whole or not at all; False if it was changed."""
    begun = target.with_name(f".{target.name}{COPYING}")
    if begun.exists():
        shutil.rmtree(begun)
    begun.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, begun)
    is_whole = records_lib.read(begun) == found
    if not is_whole or records_lib.changed_by_hand(stage, begun, found):
        shutil.rmtree(begun)
        return False
    if target.exists():  # with hidden files alone, of a process that was stopped
        shutil.rmtree(target)
    begun.rename(target)
    return True
