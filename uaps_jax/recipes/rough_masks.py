"""The pass that writes the masks of the first phase: those of the labeled images, made rough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from uaps_jax import config as config_lib
from uaps_jax import files
from uaps_jax.config import DataConfig
from uaps_jax.data import rough, targets
from uaps_jax.datasets import image_labels
from uaps_jax.datasets.common import DataError, Problem, UnreadableError, read_mask
from uaps_jax.recipes import target_files
from uaps_jax.recipes.stage import Pass, Place

CONFIDENCE = "confidence"
"""The subfolder of the largest probabilities, 16-bit grey PNGs of the network's size."""


def masks_of_labeled(*, name: str, folder: str, data: DataConfig) -> Pass:
    """The masks of the labeled images, made rough by `data.rough`, as a folder of targets.

    Beside them, `image_labels.csv` has the classes in each.

    Args:
      name: of the stage.
      folder: of its files.
      data: how masks are made rough, at the size of the network's input.
    """
    settings = data.rough

    def write(place: Place) -> None:
        for one in place.split["labeled"]:
            if settings.kind == "none":
                part, index = place.dataset.position[one]
                content = place.dataset.records[part][index]["mask"]
                target_files.write_content(
                    target_files.file_of(place.folder, targets.MASKS, one), content
                )
                continue
            mask = rough.rough_mask(target_files.truth(place.dataset, one, data), one, settings)
            target_files.write(place.folder, targets.MASKS, one, mask, place.dataset, data)
        write_labels(place, classes_in(place, place.split["labeled"]))

    return Pass(
        name=name,
        folder=folder,
        inputs=(),
        options={
            "pass": "masks of labeled",
            **config_lib.flatten(settings, "rough."),
            **({} if settings.kind == "none" else target_files.of_size(data)),
        },
        write=write,
    )


def labels_of(folder: Path, class_names: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """Name of an image -> the ids of its classes, from the `image_labels.csv` of a folder.

    Raises:
      DataError: the file has problems.
    """
    file = folder / image_labels.FILE
    problems: list[Problem] = []
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(str(file), f"is not UTF-8: {error.reason} at byte {error.start}")
        raise DataError([problem], remedy="Save the file as UTF-8.") from error
    found = image_labels.from_csv(text, str(file), class_names, problems)
    if problems:
        raise DataError(problems, remedy="Correct the file, then run the command again.")
    return found


def classes_in(place: Place, names: Sequence[str]) -> dict[str, list[str]]:
    """Name of an image -> the classes in its mask in the folder of a pass.

    Raises:
      DataError: a mask cannot be read, or has an id that is no class.
    """

    def classes(name: str) -> Iterator[str]:
        file = target_files.file_of(place.folder, targets.MASKS, name)
        for label in rough.image_labels(_mask(file)):
            if label >= len(place.dataset.class_names):
                reason = f"the class id {label} does not exist"
                raise DataError([Problem(str(file), reason)], remedy="Correct the mask.")
            yield place.dataset.class_names[label]

    return {name: list(classes(name)) for name in names}


def write_labels(place: Place, classes: Mapping[str, Sequence[str]]) -> None:
    """Writes `image_labels.csv`, the classes in the masks of a folder."""
    files.write_text(place.folder / image_labels.FILE, image_labels.to_csv(classes))


def _mask(file: Path) -> np.ndarray:
    try:
        return read_mask(file)
    except UnreadableError as error:
        raise DataError([Problem(str(file), str(error))], remedy="Correct the mask.") from error
