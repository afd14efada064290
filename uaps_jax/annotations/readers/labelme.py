"""Annotations of labelme: for each image a JSON file of its name.

Images without such a file have no annotation; a file without shapes is an image without a defect.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uaps_jax.annotations import json_file, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.shapes import Shape
from uaps_jax.datasets.common import Problem, UnreadableError, decode
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES

KINDS = "polygon, rectangle, oriented_rectangle, circle and mask"


def files(folder: Path) -> list[Path]:
    """The JSON files below a folder, without hidden ones."""
    return [
        file
        for file in sorted(folder.rglob("*.json"))
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def parse(folder: Path) -> tuple[list[Entry], list[str], list[Problem]]:
    """The annotated images of a folder, no classes, and problems."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    for file in files(folder):
        try:
            size, drawn = _file(file)
        except shapes.FAILURES as error:
            reason = f"is no annotation of labelme: {shapes.reason(error)}"
            problems.append(Problem(str(file), reason))
            continue
        name = file.relative_to(folder).with_suffix("").as_posix()
        entries.append(Entry((name,), False, file, size, drawn))
    return entries, [], problems


def _file(path: Path) -> tuple[tuple[int, int], list[Shape]]:
    content = json_file.read(path, MOST_TEXT_BYTES)
    size = shapes.checked_size(content["imageWidth"], content["imageHeight"])
    return size, [_shape(shape, size) for shape in content["shapes"]]


def _shape(shape: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    label, kind = shapes.label(shape["label"]), shape.get("shape_type") or "polygon"
    points = shapes.points(shape["points"])
    if kind in ("polygon", "oriented_rectangle") and len(points) >= 3:
        return Shape(label=label, polygons=(shapes.polygon(points, size),))
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points.min(0), points.max(0)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return Shape(label=label, polygons=(shapes.polygon(corners, size),))
    if kind == "circle" and len(points) == 2:
        radius = float(np.linalg.norm(points[1] - points[0]))
        return shapes.ellipse(label, (*points[0], radius, radius, 0.0), size)
    if kind == "mask" and len(points) == 2:
        x, y = (int(v) for v in points[0])
        return shapes.part(label, (x, y), _bitmap(shape["mask"]), size)
    raise ValueError(f"a {kind} of {len(points)} points has no area; {KINDS} have one")


def _bitmap(text: str) -> np.ndarray:
    try:
        return np.asarray(decode(base64.b64decode(text, validate=True)).convert("L")) > 0
    except (binascii.Error, UnreadableError) as error:
        raise ValueError(f"a mask cannot be read: {error}") from error
