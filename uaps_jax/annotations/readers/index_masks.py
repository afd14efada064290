"""Index masks: a folder `masks` of PNG files and `classes.yaml`, as the folder dataset has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from uaps_jax.annotations import image_files, run_lengths, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.shapes import Shape
from uaps_jax.datasets.common import Problem, UnreadableError
from uaps_jax.datasets.folder import class_map
from uaps_jax.datasets.folder.class_map import CLASSES_FILE, IGNORE_NAME, ClassMapError
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.labels import IGNORE

MASKS = "masks"


def parse(folder: Path) -> tuple[list[Entry], list[str], list[Problem]]:
    """The images that have a mask, the classes of `classes.yaml`, and problems.

    The first class is the background, whatever its name is.
    """
    try:
        classes = class_map.from_file(folder / CLASSES_FILE)
    except ClassMapError as error:
        return [], [], [Problem(str(folder / CLASSES_FILE), str(error))]
    problems: list[Problem] = []
    entries: list[Entry] = []
    names = {**dict(enumerate(classes.names)), IGNORE: IGNORE_NAME}
    for name, file in image_files.found(folder / MASKS, problems).items():
        try:
            mask = class_map.decode_mask(read_regular(file), classes)
        except (OSError, UnreadableError) as error:
            problems.append(Problem(str(file), shapes.reason(error)))
            continue
        size = (mask.shape[1], mask.shape[0])
        entries.append(Entry((name,), False, file, size, regions(mask, names)))
    return entries, [shapes.BACKGROUND, *classes.names[1:]], problems


def regions(mask: np.ndarray, names: dict[int, str]) -> list[Shape]:
    """A region for each value of a mask, uint8 [height, width], but 0.

    Raises:
      KeyError: a value has no name.
    """
    values = [value for value in np.unique(mask).tolist() if value]
    return [Shape(label=names[value], runs=run_lengths.of_mask(mask == value)) for value in values]
