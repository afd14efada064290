"""Annotations of labelme: beside each image a JSON file of its name.

Images without such a file have no annotation; a file without shapes is an image without a defect.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any

import numpy as np

from uaps_jax.annotations import shapes
from uaps_jax.annotations.shapes import Annotated, Shape
from uaps_jax.datasets.common import Problem, UnreadableError, decode
from uaps_jax.datasets.folder import scan
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular

KINDS = "polygon, rectangle, circle and mask"


def read(folder: Path) -> tuple[list[Annotated], list[Problem]]:
    """All images below a folder, sorted by name."""
    problems: list[Problem] = []
    found: dict[str, Annotated] = {}
    for file in scan.walk(folder, problems, None, scan.OTHER_PICTURES):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            problems.append(Problem(str(file), f"a second image of this name, {name}"))
            continue
        annotation = file.with_suffix(".json")
        found[name] = Annotated(name, file, None, None)
        if annotation.is_file():
            try:
                found[name] = Annotated(name, file, *_file(annotation))
            except shapes.FAILURES as error:
                problems.append(Problem(str(annotation), f"is no annotation of labelme: {error!r}"))
    used = {image.image.with_suffix(".json") for image in found.values()}
    problems += [
        Problem(str(file), "has no image of its name beside it")
        for file in sorted(folder.rglob("*.json"))
        if file not in used
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]
    return [found[name] for name in sorted(found)], problems


def _file(path: Path) -> tuple[tuple[int, int], list[Shape]]:
    content = json.loads(read_regular(path, MOST_TEXT_BYTES))
    size = shapes.checked_size(content["imageWidth"], content["imageHeight"])
    return size, [_shape(shape) for shape in content["shapes"]]


def _shape(shape: dict[str, Any]) -> Shape:
    label, kind = shapes.label(shape["label"]), shape.get("shape_type") or "polygon"
    points = np.asarray(shape["points"], np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError("the points of a shape are not pairs of numbers")
    if kind == "polygon" and len(points) >= 3:
        return Shape(label=label, polygons=(points,))
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points.min(0), points.max(0)
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        return Shape(label=label, polygons=(corners,))
    if kind == "circle" and len(points) == 2:
        radius = float(np.linalg.norm(points[1] - points[0]))
        return Shape(
            label=label, ellipse=(float(points[0, 0]), float(points[0, 1]), radius, radius, 0.0)
        )
    if kind == "mask" and len(points) == 2:
        x, y = (int(v) for v in np.round(points[0]))
        return Shape(label=label, bitmap=(x, y, _bitmap(shape["mask"])))
    raise ValueError(f"a {kind} of {len(points)} points has no area; {KINDS} have one")


def _bitmap(text: str) -> np.ndarray:
    try:
        return np.asarray(decode(base64.b64decode(text, validate=True)).convert("L")) > 0
    except (binascii.Error, UnreadableError) as error:
        raise ValueError(f"a mask cannot be read: {error}") from error
