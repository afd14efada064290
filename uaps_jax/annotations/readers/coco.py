"""Annotations of COCO: one JSON file with images, categories and regions.

Every image that the file lists is annotated; one without a region has no defect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uaps_jax.annotations import image_files, run_lengths, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.shapes import Shape
from uaps_jax.datasets.common import Problem


def parse(path: Path, content: Any) -> tuple[list[Entry], list[str], list[Problem]]:
    """The images of a file, its classes in the order of their numbers, and problems.

    Args:
      path: the file, for messages.
      content: what it holds.
    """
    problems: list[Problem] = []
    try:
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
        return (
            [],
            [],
            [Problem(str(path), f"is no annotation file of COCO: {shapes.reason(error)}")],
        )
    entries: list[Entry] = []
    for image in listed:
        try:
            name = image_files.below(str(image["file_name"]))
            size = shapes.checked_size(image["width"], image["height"])
            drawn = [_shape(region, categories, size) for region in regions[image["id"]]]
        except shapes.FAILURES as error:
            problems.append(Problem(str(path), f"image {image['id']}: {shapes.reason(error)}"))
            continue
        entries.append(Entry((name,), True, path, size, drawn))
    return entries, classes, problems


def _repeated(path: Path, content: Mapping[str, Any]) -> Iterator[Problem]:
    for section, key in (
        ("images", "id"),
        ("images", "file_name"),
        ("categories", "id"),
        ("categories", "name"),
    ):
        counts = Counter(entry.get(key) for entry in content[section])
        for value, count in counts.items():
            if count > 1:
                yield Problem(str(path), f"{section}: {key} {value!r} comes {count} times")


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
    return Shape(label=label, polygons=[shapes.polygon(points, size) for points in outline])
