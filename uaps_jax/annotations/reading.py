"""Finds out which format annotations have, and reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uaps_jax.annotations import image_files, json_file, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.readers import (
    coco,
    cvat_images,
    cvat_masks,
    index_masks,
    label_studio,
    labelme,
)
from uaps_jax.annotations.shapes import Annotated
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder import scan
from uaps_jax.datasets.folder.class_map import CLASSES_FILE

FORMATS = """\
  a folder of images with labelme's JSON files beside them, or such a folder of JSON files alone
  a JSON file of COCO, or a folder with annotations/instances_*.json
  a folder of CVAT's "Segmentation mask 1.1": labelmap.txt, SegmentationClass
  a file annotations.xml of "CVAT for images 1.1", or a folder with it
  a JSON file of Label Studio, exported as JSON
  a folder with index masks in masks, and classes.yaml
  a .zip of one of these"""

CVAT_XML = "annotations.xml"


class Reading(NamedTuple):
    """What annotations say.

    Attributes:
      images: all images of their folder, sorted by name.
      classes: names, in the order that the format gives; others may be among the labels.
      problems: what is wrong; the images are incomplete then.
    """

    images: list[Annotated]
    classes: list[str]
    problems: list[Problem]


class UnknownFormatError(Exception):
    """Files that are no annotations of a format that is read; the text says what is read."""


def read(path: Path, images: Path | None, beside: Sequence[Path]) -> Reading:
    """Reads annotations.

    Args:
      path: a file or a folder.
      images: the folder of the images; None to look for it in and beside the annotations.
      beside: further folders in which images may lie: those beside an archive.

    Raises:
      UnknownFormatError: it is of no format that is read.
    """
    root, (entries, classes, problems) = _parsed(path)
    candidates = [images] if images else [*(root / place for place in image_files.PLACES), *beside]
    if not entries:
        return Reading([], classes, problems)
    return Reading(image_files.joined(entries, candidates, problems), classes, problems)


def _parsed(path: Path) -> tuple[Path, tuple[list[Entry], list[str], list[Problem]]]:
    """The folder that paths of images are relative to, and the annotations."""
    if path.is_dir():
        return _parsed_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".xml" and path.is_file():
        return path.absolute().parent, cvat_images.parse(path)
    if suffix == ".json" and path.is_file():
        return path.absolute().parent, _parsed_json(path)
    raise UnknownFormatError(f"{path} must be a folder, or a .json, .xml or .zip file:\n{FORMATS}")


def _parsed_json(path: Path) -> tuple[list[Entry], list[str], list[Problem]]:
    try:
        content: Any = json_file.read(path)
    except shapes.FAILURES as error:
        return [], [], [Problem(str(path), f"cannot be read: {shapes.reason(error)}")]
    if isinstance(content, list):
        return label_studio.parse(path, content)
    if isinstance(content, dict) and "shapes" in content:
        reason = "is a file of labelme for one image; give the folder of these files"
        return [], [], [Problem(str(path), reason)]
    return coco.parse(path, content)


def _parsed_folder(folder: Path) -> tuple[Path, tuple[list[Entry], list[str], list[Problem]]]:
    if (folder / cvat_masks.LABELS).is_file() and (folder / cvat_masks.MASKS).is_dir():
        return folder, cvat_masks.parse(folder)
    if (folder / CVAT_XML).is_file():
        return folder, cvat_images.parse(folder / CVAT_XML)
    if (folder / index_masks.MASKS).is_dir() and (folder / CLASSES_FILE).is_file():
        return folder, index_masks.parse(folder)
    instances = sorted((folder / "annotations").glob("instances_*.json"))
    alone = sorted(folder.glob("*.json"))
    if len(instances) == 1 or (len(alone) == 1 and len(labelme.files(folder)) == 1):
        file = (instances or alone)[0]
        if instances or not _is_labelme(file):
            return folder, _parsed_json(file)
    if labelme.files(folder) and not instances:
        return folder, labelme.parse(folder)
    several = f"; it has {len(instances)} files instances_*.json: give one of them"
    raise UnknownFormatError(
        f"{folder} has no annotations of a format that is read"
        f"{several if instances else ''}:\n{FORMATS}"
    )


def _is_labelme(file: Path) -> bool:
    """Whether a JSON file is one of labelme: an image of its name beside it, or what it holds."""
    if any(file.with_suffix(suffix).is_file() for suffix in scan.IMAGE_SUFFIXES):
        return True
    try:
        content = json_file.read(file)
    except shapes.FAILURES:
        return False
    return isinstance(content, dict) and "shapes" in content
