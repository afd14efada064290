"""The passes that copy files which a person gives in place of those of a stage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from uaps_jax.config import ConfigError
from uaps_jax.data import targets
from uaps_jax.datasets import image_labels
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.recipes import rough_masks, target_files
from uaps_jax.recipes.record import OF_TRAINING
from uaps_jax.recipes.rough_masks import CONFIDENCE
from uaps_jax.recipes.stage import Pass, Place


def targets_of(*, name: str, folder: str, source: Path, needs_labels: bool) -> Pass:
    """A copy of a folder of targets that a person gives, so that the recipe holds all its files.

    `image_labels.csv`, if it is not there, is made of the classes in each mask.

    Args:
      name: of the stage.
      folder: of its files.
      source: the folder that is given.
      needs_labels: whether a later stage reads the labels of all images; a file with problems is
        found before the first training.
    """

    def write(place: Place) -> None:
        for file in _files_of(source):
            copy = place.folder / file.relative_to(source)
            target_files.write_content(copy, file.read_bytes())
        known = target_files.names_in(place.folder)
        if gone := [one for one in known if one not in place.dataset.position]:
            problem = Problem(
                str(source), f"{len(gone)} masks without an image, {gone[0]} among them"
            )
            raise DataError([problem], remedy="Remove these masks, then run the command again.")
        classes = rough_masks.classes_in(place, known)
        if not (source / image_labels.FILE).exists():
            rough_masks.write_labels(place, classes)
        elif needs_labels:
            labels = rough_masks.labels_of(source, place.dataset.class_names)
            if missing := [one for one in known if one not in labels]:
                reason = f"has no line for {len(missing)} of {len(known)} images with a mask, "
                problem = Problem(str(source / image_labels.FILE), reason + missing[0])
                raise DataError([problem], remedy="Add a line for each, or remove the file.")

    return Pass(
        name=name,
        folder=folder,
        inputs=(),
        options={
            "pass": "given targets",
            "needs_labels": needs_labels,
            "digest": _digest(source, _files_of(source)),
        },
        write=write,
    )


def run_of(*, name: str, source: Path) -> Pass:
    """A copy of the checkpoints of a run that a person gives."""

    def found() -> list[Path]:
        roots = [source / one for one in OF_TRAINING]
        every = [f for root in roots for f in ([root] if root.is_file() else root.rglob("*"))]
        return sorted(file for file in every if file.is_file())

    def write(place: Place) -> None:
        for file in found():
            target_files.write_content(place.folder / file.relative_to(source), file.read_bytes())

    return Pass(
        name=name,
        folder=name,
        inputs=(),
        options={"pass": "given run", "digest": _digest(source, found())},
        write=write,
    )


def _files_of(folder: Path) -> list[Path]:
    """The files of a folder of targets, without hidden ones and the record of a stage.

    Raises:
      ConfigError: it holds no masks.
    """
    kinds = (targets.MASKS, targets.WEIGHTS, CONFIDENCE)
    found = [f for kind in kinds for f in sorted((folder / kind).rglob(f"*{targets.SUFFIX}"))]
    if not any(file.is_relative_to(folder / targets.MASKS) for file in found):
        raise ConfigError(
            f"{folder}: has no masks; put them there as {targets.MASKS}/NAME{targets.SUFFIX} for "
            "the image NAME"
        )
    labels = folder / image_labels.FILE
    return [*found, *([labels] if labels.exists() else [])]


def _digest(folder: Path, found: Sequence[Path]) -> str:
    """Of the names and contents of files, 16 hexadecimal digits."""
    total = hashlib.sha256()
    for file in found:
        total.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]
