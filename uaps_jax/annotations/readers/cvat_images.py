"""Annotations of CVAT as "CVAT for images 1.1": one XML file.

https://docs.cvat.ai/docs/other/xml_format. Every image that the file lists is annotated; one
without a region has no defect. Regions are drawn in the order of `z_order`. A document type, with
which XML defines entities, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from uaps_jax.annotations import image_files, run_lengths, shapes
from uaps_jax.annotations.image_files import Entry
from uaps_jax.annotations.shapes import Shape
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.regular_files import read_regular

MOST_BYTES = 2**27
KINDS = ("polygon", "box", "ellipse", "mask")
OTHER_KINDS = ("polyline", "points", "cuboid", "skeleton", "track")
_LABEL = ("labels", "label", "name")


class _Element(NamedTuple):
    """One region or image: the tag, and its attributes."""

    tag: str
    attributes: Mapping[str, str]


class _Content(NamedTuple):
    """What is used of a file: the names of the labels, and the regions of each image."""

    labels: list[str]
    images: list[tuple[Mapping[str, str], list[_Element]]]


def parse(path: Path) -> tuple[list[Entry], list[str], list[Problem]]:
    """The images of a file, its labels, and problems."""
    try:
        content = _content(read_regular(path, MOST_BYTES))
        known = [shapes.label(name) for name in content.labels]
    except (expat.ExpatError, *shapes.FAILURES) as error:
        reason = f'is no export of "CVAT for images": {shapes.reason(error)}'
        return [], [], [Problem(str(path), reason)]
    entries: list[Entry] = []
    problems: list[Problem] = []
    for image, elements in content.images:
        try:
            name = image_files.below(image["name"])
            size = shapes.checked_size(image["width"], image["height"])
            elements = sorted(elements, key=lambda e: int(e.attributes.get("z_order", 0)))
            drawn = [_shape(element, known, size) for element in elements]
        except shapes.FAILURES as error:
            reason = f"image {image.get('name')}: {shapes.reason(error)}"
            problems.append(Problem(str(path), reason))
            continue
        names = (name, f"{image['subset']}/{name}") if image.get("subset") else (name,)
        entries.append(Entry(names, True, path, size, drawn))
    return entries, list(dict.fromkeys(known)), problems


def _content(data: bytes) -> _Content:
    """Parses a file.

    Raises:
      ValueError: it has a document type, or is not of this format.
      ExpatError: it is no XML.
    """
    content = _Content([], [])
    above: list[str] = []
    text: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not above and tag != "annotations":
            raise ValueError(f"its outermost element is {tag!r}, not 'annotations'")
        above.append(tag)
        text.clear()
        if tag == "image":
            content.images.append((attributes, []))
        elif "image" in above and tag in (*KINDS, *OTHER_KINDS):
            content.images[-1][1].append(_Element(tag, attributes))
        elif tag == "track":
            raise ValueError("has tracks of a video; export 'CVAT for images 1.1'")

    def end(tag: str) -> None:
        if tuple(above[-3:]) == _LABEL:
            content.labels.append("".join(text))
        above.pop()

    def refuse(*_: object) -> None:
        raise ValueError("has a document type, which an export of CVAT has not")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.Parse(data, True)
    return content


def _shape(element: _Element, known: Sequence[str], size: tuple[int, int]) -> Shape:
    tag, of = element
    label = shapes.label(of["label"])
    if known and label not in known:
        raise ValueError(f"the label {label!r} is not among those of the file")
    if tag == "polygon":
        pairs = [pair.split(",") for pair in of["points"].split(";")]
        return Shape(label=label, polygons=[shapes.polygon(pairs, size)])
    if tag == "box":
        left, top, right, bottom = (float(of[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        turned = _turned(corners, float(of.get("rotation", 0)))
        return Shape(label=label, polygons=[shapes.polygon(turned, size)])
    if tag == "ellipse":
        numbers = [float(of[key]) for key in ("cx", "cy", "rx", "ry")]
        return shapes.ellipse(label, [*numbers, float(of.get("rotation", 0))], size)
    if tag == "mask":
        return _mask(label, of, size)
    raise ValueError(f"a {tag} has no area; {', '.join(KINDS)} have one")


def _turned(corners: np.ndarray, degrees: float) -> np.ndarray:
    """Corners, [N, 2], turned clockwise around their mean."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    centre = corners.mean(0)
    return np.asarray((corners - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre)


def _mask(label: str, of: Mapping[str, str], size: tuple[int, int]) -> Shape:
    """A mask: run lengths, row by row, of the part of the image at `left` and `top`."""
    left, top, width, height = (int(of[key]) for key in ("left", "top", "width", "height"))
    if min(left, top) < 0 or min(width, height) < 1:
        raise ValueError(f"a mask of {width} x {height} pixels at ({left}, {top})")
    if left + width > size[0] or top + height > size[1]:
        raise ValueError(
            f"a mask of {width} x {height} pixels at ({left}, {top}) is not in the image of "
            f"{size[0]} x {size[1]}"
        )
    counts = run_lengths.checked([int(run) for run in of["rle"].split(",")], width * height)
    region = run_lengths.to_mask(counts, width, height).T
    return shapes.part(label, (left, top), region, size)
