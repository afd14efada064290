"""Annotations of Label Studio, exported as JSON: a list of tasks.

https://labelstud.io/guide/task_format. Of the annotations of a task, the one that was changed last
counts; those that were skipped do not. Predictions are no annotations: a task that has only these
is not annotated. Coordinates are in percent of the width or the height.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from uaps_jax.annotations import brush, run_lengths, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.shapes import Shape
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder.scan import IMAGE_SUFFIXES

KINDS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels", "labels")
WITHOUT_LABEL = ("brush", "polygon", "rectangle", "ellipse")
"""Results beside which there is one of the kind `labels` with the same id."""

WITHOUT_REGION = (
    *("choices", "textarea", "rating", "number", "datetime", "taxonomy", "relation", "pairwise"),
)


def parse(path: Path, content: Any) -> tuple[list[Entry], list[str], list[Problem]]:
    """The images of the tasks of a file, no classes, and problems."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    for number, task in enumerate(content, start=1):
        try:
            entries.append(_entry(path, task))
        except shapes.FAILURES as error:
            name = task.get("id", number) if isinstance(task, dict) else number
            problems.append(Problem(str(path), f"task {name}: {shapes.reason(error)}"))
    if not problems and all(entry.shapes is None for entry in entries):
        reason = (
            f"no task of {len(entries)} has an annotation that was submitted; predictions are "
            "no annotations"
        )
        problems.append(Problem(str(path), reason))
    return _without_bare_names(entries), [], problems


def _without_bare_names(entries: Sequence[Entry]) -> list[Entry]:
    """Entries without the name of the file alone where another image has the same one."""
    by_bare: dict[str, list[str]] = {}
    for entry in entries:
        paths = by_bare.setdefault(entry.names[-1], [])
        if len(paths) < 2 and entry.names[0] not in paths:  # One of two is another one.
            paths.append(entry.names[0])
    told_apart = []
    for entry in entries:
        others = [path for path in by_bare[entry.names[-1]] if path != entry.names[0]]
        if others and len(entry.names) > 1:
            told_apart.append(entry._replace(names=entry.names[:-1], namesake=others[0]))
        else:
            told_apart.append(entry)
    return told_apart


def _entry(path: Path, task: Mapping[str, Any]) -> Entry:
    if "data" not in task:
        raise ValueError("is no task with 'data' and 'annotations'; export as JSON, not JSON-MIN")
    address = _address(task["data"])
    entry = Entry(image_names(address), True, path, None, None, uploaded_name(address))
    annotation = _newest(task.get("annotations") or [])
    if annotation is None:
        return entry
    results = [r for r in annotation["result"] if r["type"] not in WITHOUT_REGION]
    labelled = {r.get("id") for r in results if r["type"] in KINDS}
    results = [r for r in results if r["type"] not in WITHOUT_LABEL or r.get("id") not in labelled]
    sizes = {(r["original_width"], r["original_height"]) for r in results}
    if not results:
        return entry._replace(shapes=[])
    if len(sizes) > 1:
        raise ValueError(f"its regions are for images of different sizes, {sorted(sizes)}")
    size = shapes.checked_size(*next(iter(sizes)))
    return entry._replace(size=size, shapes=[_shape(result, size) for result in results])


def _address(data: Mapping[str, Any]) -> str:
    """The address of the image among the data of a task."""
    addresses = {
        key: text
        for key, text in data.items()
        if isinstance(text, str) and PurePosixPath(_path(text)).suffix.lower() in IMAGE_SUFFIXES
    }
    if "image" in addresses:
        return addresses["image"]
    if len(addresses) != 1:
        raise ValueError(f"its data have {len(addresses)} addresses of images, not one")
    return next(iter(addresses.values()))


def _path(address: str) -> str:
    """The path of an address: of a URL, of a file that is served locally (`?d=`), or as it is."""
    parts = urlsplit(address)
    if local := parse_qs(parts.query).get("d"):
        return local[0]
    return unquote(parts.path)


def image_names(address: str) -> list[str]:
    """The paths that an image may have in the folder of the images, the longest first."""
    parts = [p for p in PurePosixPath(_path(address).replace("\\", "/")).parts if p != "/"]
    if ".." in parts or not parts:
        raise ValueError(f"{address!r} is no address of an image")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def uploaded_name(address: str) -> str | None:
    """The name of an uploaded image, without the eight digits that were put before it."""
    found = re.fullmatch(r"[0-9a-f]{8}-(.+)", PurePosixPath(_path(address)).name)
    return found[1] if found else None


def _newest(annotations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The annotation that was changed last, without those that were skipped."""
    submitted = [a for a in annotations if not a.get("was_cancelled")]
    return max(submitted, key=_changed, default=None)


def _changed(annotation: Mapping[str, Any]) -> datetime.datetime:
    text = annotation.get("updated_at") or annotation.get("created_at")
    if text is None:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    time = datetime.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def _shape(result: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    kind, value = result["type"], result["value"]
    if kind not in KINDS:
        raise ValueError(f"a region of the kind {kind!r}; {', '.join(KINDS)} are read")
    if result.get("image_rotation"):
        raise ValueError(f"its image is shown rotated by {result['image_rotation']} degrees")
    if len(value[kind]) != 1:
        raise ValueError(f"a region with the labels {value[kind]!r}, not with one")
    label, scale = shapes.label(value[kind][0]), np.array(size) / 100
    if "rle" in value:
        if not isinstance(value["rle"], list):
            raise ValueError("a brush whose bits are no list of numbers")
        region = brush.decode(bytes(value["rle"]), size[1], size[0])
        return Shape(label=label, runs=run_lengths.of_mask(region))
    if "points" in value:
        return Shape(label=label, polygons=[shapes.polygon(_scaled(value["points"], scale), size)])
    x, y = float(value["x"]) * scale[0], float(value["y"]) * scale[1]
    degrees = float(value.get("rotation", 0))
    if "radiusX" in value:
        radii = float(value["radiusX"]) * scale[0], float(value["radiusY"]) * scale[1]
        return shapes.ellipse(label, (x, y, *radii, degrees), size)
    width, height = float(value["width"]) * scale[0], float(value["height"]) * scale[1]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, down = np.array([cosine, sine]) * width, np.array([-sine, cosine]) * height
    corner = np.array([x, y])
    corners = [corner, corner + along, corner + along + down, corner + down]
    return Shape(label=label, polygons=[shapes.polygon(corners, size)])


def _scaled(of: Any, scale: np.ndarray) -> np.ndarray:
    return shapes.points(of) * scale
