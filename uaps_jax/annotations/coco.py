"""Annotations of COCO: one JSON file with images, categories and regions.

Every image that the file lists is annotated; one without a region has no defect. Other images of
the folder have no annotation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from uaps_jax.annotations import shapes
from uaps_jax.annotations.shapes import Annotated, Shape
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder import scan
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular


def read(path: Path) -> tuple[list[Annotated], list[str], list[Problem]]:
    """All images below the folder of the file or, if there is one, its folder `images`.

    Returns:
      The images, sorted by name; the classes, in the order of their categories' numbers; problems.
    """
    problems: list[Problem] = []
    try:
        content = json.loads(read_regular(path, MOST_TEXT_BYTES))
        categories = {int(c["id"]): str(c["name"]) for c in content["categories"]}
        listed = {int(i["id"]): i for i in content["images"]}
        regions: dict[int, list[Any]] = {number: [] for number in listed}
        for region in content["annotations"]:
            regions[int(region["image_id"])].append(region)
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        return [], [], [Problem(str(path), f"is no annotation file of COCO: {error!r}")]
    folder = path.parent / "images" if (path.parent / "images").is_dir() else path.parent
    annotated: dict[Path, Annotated] = {}
    for number, image in listed.items():
        file = folder / str(image.get("file_name"))
        try:
            if not file.resolve().is_relative_to(folder.resolve()):
                raise ValueError(f"its file {image.get('file_name')!r} is outside of {folder}")
            size = shapes.checked_size(image["width"], image["height"])
            drawn = [_shape(region, categories, size) for region in regions[number]]
        except (ValueError, KeyError, TypeError) as error:
            problems.append(Problem(str(path), f"image {number}: {error!r}"))
            continue
        if not file.is_file():
            problems.append(Problem(str(file), f"is named in {path.name}, and does not exist"))
        annotated[file] = Annotated("", file, size, drawn)
    found: dict[str, Annotated] = {}
    for file in scan.walk(folder, problems, None, ()):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            problems.append(Problem(str(file), f"a second image of this name, {name}"))
            continue
        plain = Annotated(name, file, None, None)
        found[name] = annotated.get(file, plain)._replace(name=name)
    classes = [categories[number] for number in sorted(categories)]
    return [found[name] for name in sorted(found)], classes, problems


def _shape(region: dict[str, Any], categories: dict[int, str], size: tuple[int, int]) -> Shape:
    label, outline = categories[int(region["category_id"])], region["segmentation"]
    if isinstance(outline, dict):
        height, width = (int(side) for side in outline["size"])
        if (width, height) != size:
            raise ValueError(f"a region of {width} x {height} in an image of {size[0]} x {size[1]}")
        return Shape(label=label, bitmap=(0, 0, run_lengths(outline["counts"], height, width)))
    polygons = [np.asarray(points, np.float64).reshape(-1, 2) for points in outline]
    if not polygons or any(len(p) < 3 or not np.isfinite(p).all() for p in polygons):
        raise ValueError(f"region {region.get('id')} has no outline")
    return Shape(label=label, polygons=polygons)


def run_lengths(counts: str | list[int], height: int, width: int) -> np.ndarray:
    """The mask of run lengths, column by column, of which the first counts zeros.

    Args:
      counts: numbers, or the text form of pycocotools: 5 bits a character, and from the fourth
        number on the difference to the number two before.
      height: of the mask.
      width: likewise.

    Returns:
      bool [height, width].

    Raises:
      ValueError: they are not run lengths of such a mask.
    """
    lengths = _numbers(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if sum(lengths) != height * width or min(lengths, default=0) < 0:
        raise ValueError(f"run lengths for {sum(lengths)} pixels in {height * width}")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    number, shift = 0, 0
    for character in text.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"{chr(character)!r} in run lengths")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
        number, shift = 0, 0
    return numbers
