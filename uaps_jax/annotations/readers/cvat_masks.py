"""Annotations of CVAT as "Segmentation mask 1.1", which follows Pascal VOC.

`labelmap.txt` has a line `name:red,green,blue:parts:actions` for each class,
`ImageSets/Segmentation/*.txt` the names of the images without suffix, and `SegmentationClass` their
masks in these colours. An image that is listed without a mask has no defect.
`SegmentationObject` tells instances apart, and is not read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from uaps_jax.annotations import image_files, run_lengths, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.shapes import Shape
from uaps_jax.datasets.common import Problem, UnreadableError, decode, rgb
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular

LABELS = "labelmap.txt"
MASKS = "SegmentationClass"
LISTS = "ImageSets/Segmentation"

Colour = tuple[int, int, int]


def parse(folder: Path) -> tuple[list[Entry], list[str], list[Problem]]:
    """The listed images, the classes of the list, and problems."""
    try:
        classes = labels(read_regular(folder / LABELS, MOST_TEXT_BYTES).decode("utf-8-sig"))
        names = [
            image_files.below(line.strip())
            for file in sorted((folder / LISTS).glob("*.txt"))
            for line in read_regular(file, MOST_TEXT_BYTES).decode("utf-8-sig").splitlines()
            if line.strip()
        ]
    except shapes.FAILURES as error:
        reason = f"is no export of CVAT's segmentation masks: {shapes.reason(error)}"
        return [], [], [Problem(str(folder), reason)]
    problems: list[Problem] = []
    masks = image_files.found(folder / MASKS, problems)
    names = names or sorted(masks)
    listed = set(names)
    problems += [
        Problem(str(file), f"is not listed in {LISTS}")
        for name, file in masks.items()
        if name not in listed
    ]
    entries: list[Entry] = []
    for name in names:
        if name not in masks:
            entries.append(Entry((name,), False, folder / LISTS, None, []))
            continue
        try:
            size, drawn = _mask(masks[name], classes)
        except (OSError, UnreadableError, ValueError) as error:
            problems.append(Problem(str(masks[name]), shapes.reason(error)))
            continue
        entries.append(Entry((name,), False, masks[name], size, drawn))
    return entries, list(dict.fromkeys(classes.values())), problems


def labels(text: str) -> dict[Colour, str]:
    """Colour -> class; black is the background, whatever its name is.

    Raises:
      ValueError: it is no list of classes, or a colour or a class comes twice.
    """
    classes: dict[Colour, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.strip().split(":")
        if len(fields) != 4:
            raise ValueError(f"{LABELS}: {line!r} has not four fields with a colon between them")
        red, green, blue = (int(number) for number in fields[1].split(","))
        if not all(0 <= number < 256 for number in (red, green, blue)):
            raise ValueError(f"{LABELS}: {fields[1]!r} is no colour")
        name = shapes.label(fields[0]) if red or green or blue else shapes.BACKGROUND
        if (red, green, blue) in classes or name in classes.values():
            raise ValueError(f"{LABELS}: {line!r} repeats a colour or a class")
        classes[red, green, blue] = name
    if not classes:
        raise ValueError(f"{LABELS}: has no classes")
    return classes


def _mask(file: Path, classes: dict[Colour, str]) -> tuple[tuple[int, int], list[Shape]]:
    """Width and height, and a region for each class but the background, which is black.

    A grey mask has the numbers of the classes in the order of the list.
    """
    image = decode(read_regular(file))
    if image.mode == "L":
        packed = np.array(image, np.int32)
        names = dict(enumerate(classes.values()))
    else:
        colours = rgb(image).astype(np.int32)
        packed = colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
        names = {red << 16 | green << 8 | blue: n for (red, green, blue), n in classes.items()}
    names = {0: shapes.BACKGROUND, **names}
    values = np.unique(packed).tolist()
    if unknown := [value for value in values if value not in names]:
        raise ValueError(
            f"holds colours that are not in {LABELS}: {len(unknown)}, such as #{unknown[0]:06x}"
        )
    drawn = [
        Shape(label=names[value], runs=run_lengths.of_mask(packed == value))
        for value in values
        if names[value] != shapes.BACKGROUND
    ]
    return (packed.shape[1], packed.shape[0]), drawn
