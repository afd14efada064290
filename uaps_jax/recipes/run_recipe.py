"""Runs the stages of a recipe that are not done, in their order."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import logging

from uaps_jax.config import ConfigError
from uaps_jax.data import splits
from uaps_jax.data.source import Dataset
from uaps_jax.recipes import errors
from uaps_jax.recipes import record as records_lib
from uaps_jax.recipes import reuse as reuse_lib
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes import state as state_lib
from uaps_jax.recipes import work as work_lib
from uaps_jax.recipes.record import Record
from uaps_jax.recipes.stage import Folders, Place, Recipe, Stage, Training
from uaps_jax.recipes.state import State
from uaps_jax.recipes.work import Train, Work
from uaps_jax.training import workdir
from uaps_jax.training.progress import duration

SHOWN_FILES = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opened:
    """A recipe whose settings and files have been checked.

    Attributes:
      stages: in their order.
      folders: of the stages.
      records: of the stages; None for those that have not been started.
      states: of the stages.
      data: digest of the recipe's data.
      weights: of each training that begins with weights of a file, the digest of these.
    """

    stages: Sequence[Stage]
    folders: Folders
    records: dict[str, Record | None]
    states: Mapping[str, State]
    data: str
    weights: Mapping[str, str]


def split_of(recipe: Recipe, dataset: Dataset) -> tuple[splits.Split, str]:
    """The split of a recipe's data, and the digest of these.

    Raises:
      ConfigError: the data do not fit the recipe.
    """
    split = recipe.split(dataset)
    return split, recipe.digest(dataset, split)


def open_recipe(recipe: Recipe, directory: Path, data: str) -> Opened:
    """Reads how far the stages are; writes nothing.

    Args:
      recipe: to read.
      directory: of the recipe.
      data: digest of its data, by `split_of`.

    Raises:
      ConfigError: the recipe cannot be run, or the record of a stage cannot be read.
      WeightsError, CheckpointError: initial weights cannot be read.
    """
    stages = stage_lib.checked(recipe, directory)
    folders = stage_lib.folders(stages, directory)
    records = {stage.name: records_lib.read(folders[stage.name]) for stage in stages}
    weights = {
        stage.name: found
        for stage in stages
        if isinstance(stage, Training) and (found := stage.weights(folders))
    }
    states = state_lib.states(stages, records, folders, data, weights)
    return Opened(
        stages=stages,
        folders=folders,
        records=records,
        states=states,
        data=data,
        weights=weights,
    )


def run_recipe(
    recipe: Recipe,
    directory: Path,
    dataset: Dataset,
    work: Work,
    again: str | None = None,
    reuse: Path | None = None,
) -> None:
    """Runs the stages that are not done, and resumes one that was interrupted.

    Args:
      recipe: to run.
      directory: of the recipe; the folders of the stages are in it.
      dataset: of its base configuration.
      work: that of a stage, in this process or in one of its own.
      again: a stage that is run again although it is done, and with it all that depend on it.
      reuse: folder of other recipes, whose trainings are copied in place of equal ones here.

    Raises:
      ConfigError: the recipe cannot be run, or files of a stage were changed by hand. Nothing was
        written.
      StageFailed: a stage failed; those before it are done.
      Interrupted: a training was stopped by a signal and has saved its state.
      Stopped: the process of a stage was stopped by a signal.
      Waiting: a stage needs something from a person; those before it are done.
    """
    with workdir.locked(directory):
        split, data = split_of(recipe, dataset)
        opened = open_recipe(recipe, directory, data)
        moved = _again(opened, again)
        _check_files(opened, moved)
        for name in reversed(moved):  # the last one first: what is left always fits together
            _move(opened.folders[name])
        if moved:
            opened = open_recipe(recipe, directory, data)
        for name, state in opened.states.items():
            logging.info("stage %s: %s%s", name, state.kind, state.reason and f" ({state.reason})")
        for number, stage in enumerate(opened.stages, start=1):
            states = state_lib.states(
                opened.stages, opened.records, opened.folders, opened.data, opened.weights
            )
            state = states[stage.name]
            if state.kind == "done":
                continue
            logging.info("stage %d of %d: %s", number, len(opened.stages), stage.name)
            if state.kind == "outdated":
                logging.warning("stage %s runs again: %s", stage.name, state.reason)
                _move(opened.folders[stage.name])
                opened.records[stage.name] = None
            place = _place(stage, opened.folders, dataset, split)
            if reuse is not None and (found := _reused(stage, place, opened, reuse)):
                opened.records[stage.name] = found
                continue
            with errors.told(stage, again=again is not None):
                opened.records[stage.name] = _run(stage, place, opened, work)


def run_stage(recipe: Recipe, directory: Path, dataset: Dataset, train: Train, name: str) -> None:
    """Does the work of a stage for the process that runs the recipe, locks it and keeps its record.

    Args:
      recipe: of the stage.
      directory: of the recipe.
      dataset: of its base configuration.
      train: runs a training.
      name: of the stage.

    Raises:
      ConfigError: that process has not begun this stage with these settings, data and files.
    """
    split, data = split_of(recipe, dataset)
    opened = open_recipe(recipe, directory, data)
    states = opened.states
    if name not in states or states[name].kind != "interrupted":
        found = " ".join(filter(None, states[name])) if name in states else "not one of the recipe"
        raise ConfigError(
            f"stage {name} is {found}: the configuration, the data or files of other stages were "
            "changed while the recipe ran"
        )
    [stage] = [one for one in opened.stages if one.name == name]
    work_lib.in_this_process(train)(stage, _place(stage, opened.folders, dataset, split))


def _place(stage: Stage, folders: Folders, dataset: Dataset, split: splits.Split) -> Place:
    inputs = {name: folders[name] for name in stage.inputs}
    return Place(folder=folders[stage.name], inputs=inputs, dataset=dataset, split=split)


def _again(opened: Opened, name: str | None) -> list[str]:
    """The stages that are to be run again, of those that have been started, in their order.

    Raises:
      ConfigError: there is no such stage.
    """
    if name is None:
        return []
    if name not in opened.folders:
        raise ConfigError(f"--stage={name}: must be one of {', '.join(opened.folders)}")
    chosen = {name, *state_lib.dependents(opened.stages, name)}
    return [n for n, record in opened.records.items() if n in chosen and record is not None]


def _check_files(opened: Opened, moved: Sequence[str]) -> None:
    """Checks that nobody changed a file of a stage that is done and is not moved.

    Raises:
      ConfigError: somebody did; the message lists the stages and their files.
    """
    lines = []
    for stage in opened.stages:
        record, folder = opened.records[stage.name], opened.folders[stage.name]
        if record is None or record.outputs is None or stage.name in moved:
            continue
        if changed := records_lib.changed_by_hand(stage, folder, record):
            more = f" and {len(changed) - SHOWN_FILES} more" if len(changed) > SHOWN_FILES else ""
            lines.append(
                f"  stage {stage.name}, {folder}: {len(changed)} of {len(record.outputs)} files: "
                f"{', '.join(changed[:SHOWN_FILES])}{more}"
            )
    if lines:
        raise ConfigError(
            "files of stages that were done have been changed, removed or added since; nothing was "
            "written:\n" + "\n".join(lines) + "\nRestore them, or write them again: --stage=NAME "
            "moves what is there and runs the stage and those that depend on it again. To train on "
            "pseudo-labels that you corrected, copy their folder and set data.targets.folders."
        )


def _move(folder: Path) -> None:
    """Renames a folder to `<folder>.previous-N` with the first free N, from 1."""
    number = 1
    while (target := folder.with_name(f"{folder.name}{records_lib.PREVIOUS}{number}")).exists():
        number += 1
    folder.rename(target)
    logging.info("%s is now %s", folder, target.name)


def _reused(stage: Stage, place: Place, opened: Opened, among: Path) -> Record | None:
    """The record of a training that was copied, `reuse.copied`; None for other stages."""
    has_begun = opened.records[stage.name] is not None
    if has_begun or not isinstance(stage, Training) or not reuse_lib.can_be_copied(stage, place):
        return None

    def is_equal(record: Record) -> bool:
        return not state_lib.outdated(
            stage, record, opened.records, (), opened.folders, opened.data, opened.weights
        )

    return reuse_lib.copied(stage, place.folder, among, is_equal)


def _run(stage: Stage, place: Place, opened: Opened, work: Work) -> Record:
    """Runs a stage to its end; its inputs are done."""
    place.folder.mkdir(parents=True, exist_ok=True)
    record = opened.records[stage.name] or Record(
        settings=stage.settings(opened.folders),
        inputs=state_lib.inputs(stage, opened.records, opened.data, opened.weights),
    )
    records_lib.write(place.folder, record)
    started = time.perf_counter()
    try:
        work(stage, place)
    finally:
        seconds = record.seconds + time.perf_counter() - started
        record = dataclasses.replace(record, seconds=round(seconds, 1))
        records_lib.write(place.folder, record)
    done = dataclasses.replace(
        record,
        outputs=records_lib.outputs(stage, place.folder),
        finished=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    records_lib.write(place.folder, done)
    logging.info("stage %s: done in %s", stage.name, duration(done.seconds))
    return done
