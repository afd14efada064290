"""Annotations of COCO: one JSON file with images, categories and regions.

Every image that the file lists is annotated; one without a region has no defect. Other images of
the folder have no annotation.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uaps_jax.annotations import run_lengths, shapes
from uaps_jax.annotations.shapes import Annotated, Shape
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder import scan
from uaps_jax.datasets.regular_files import read_regular

MOST_BYTES = 2**30
"""Of the file."""


def read(path: Path) -> tuple[list[Annotated], list[str], list[Problem]]:
    """All images of the folder that has the listed ones.

    It is the folder of the file, `images` in it, or `images` beside it, as the names demand.

    Returns:
      The images, sorted by name; the classes, in the order of their categories' numbers; problems.
    """
    problems: list[Problem] = []
    try:
        content = json.loads(read_regular(path, MOST_BYTES))
        categories = {c["id"]: shapes.label(c["name"]) for c in content["categories"]}
        listed = [dict(image) for image in content["images"]]
        regions: dict[Any, list[Any]] = {image["id"]: [] for image in listed}
        for region in content["annotations"]:
            if region["image_id"] not in regions:
                raise ValueError(f"region {region.get('id')} is of an image that is not listed")
            regions[region["image_id"]].append(region)
        problems += _repeated(path, content)
        classes = [categories[number] for number in sorted(categories)]
    except shapes.FAILURES as error:
        return [], [], [Problem(str(path), f"is no annotation file of COCO: {error!r}")]
    annotated: dict[str, Annotated] = {}
    for image in listed:
        try:
            name = _normal(str(image["file_name"]))
            size = shapes.checked_size(image["width"], image["height"])
            drawn = [_shape(region, categories, size) for region in regions[image["id"]]]
        except shapes.FAILURES as error:
            problems.append(Problem(str(path), f"image {image['id']}: {error}"))
            continue
        annotated[name] = Annotated(name, path, size, drawn)
    folder = _folder(path, annotated)
    found: dict[str, Annotated] = {}
    for file in scan.walk(folder, problems, None, scan.OTHER_PICTURES):
        relative = file.relative_to(folder)
        name = relative.with_suffix("").as_posix()
        if name in found:
            problems.append(Problem(str(file), f"a second image of this name, {name}"))
            continue
        known = annotated.pop(relative.as_posix(), Annotated(name, file, None, None))
        found[name] = known._replace(name=name, image=file)
    problems += [
        Problem(str(folder / name), f"is listed in {path.name}, and is not there")
        for name in annotated
    ]
    return [found[name] for name in sorted(found)], classes, problems


def _repeated(path: Path, content: Mapping[str, Any]) -> Iterator[Problem]:
    for section, key in (("images", "id"), ("images", "file_name"), ("categories", "id")):
        counts = Counter(entry.get(key) for entry in content[section])
        for value, count in counts.items():
            if count > 1:
                yield Problem(str(path), f"{section}: {key} {value!r} comes {count} times")


def _normal(name: str) -> str:
    """A path below the folder of the images.

    Raises:
      ValueError: it is not below it.
    """
    normal = os.path.normpath(name.replace("\\", "/"))
    if os.path.isabs(normal) or normal.split("/")[0] in ("..", "."):
        raise ValueError(f"its file {name!r} is outside of the folder of the images")
    return normal


def _folder(path: Path, names: Mapping[str, object]) -> Path:
    """The folder that has most of the listed images."""
    here = path.absolute().parent
    candidates = (here, here / "images", here.parent / "images")
    return max(candidates, key=lambda folder: sum((folder / name).is_file() for name in names))


def _shape(
    region: Mapping[str, Any], categories: Mapping[Any, str], size: tuple[int, int]
) -> Shape:
    number = region.get("id")
    if region.get("category_id") not in categories:
        raise ValueError(f"region {number} has a category that is not listed")
    label, outline = categories[region["category_id"]], region.get("segmentation")
    if isinstance(outline, dict):
        height, width = (int(side) for side in outline["size"])
        if (width, height) != size:
            raise ValueError(f"a region of {width} x {height} in an image of {size[0]} x {size[1]}")
        return Shape(label=label, runs=run_lengths.checked(outline["counts"], height * width))
    if not outline:
        raise ValueError(f"region {number} has no outline; export polygons or masks, not boxes")
    polygons = [np.asarray(points, np.float64).reshape(-1, 2) for points in outline]
    if any(len(polygon) < 3 or not np.isfinite(polygon).all() for polygon in polygons):
        raise ValueError(f"region {number} has an outline without area")
    return Shape(label=label, polygons=polygons)
