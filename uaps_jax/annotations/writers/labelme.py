"""labelme: a JSON file for each image, of the image's name, with polygons.

A polygon has no holes in labelme: a hole is a polygon of `_background_` after it. Polygons are
drawn in their order, so that the later ones count. Read with the rule that a pixel belongs to a
polygon if its centre lies in it, they give the mask exactly; labelme's own drawing adds the pixels
that the outline touches, less than one to each side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from uaps_jax.annotations import outlines
from uaps_jax.annotations.proposals import Proposal, complete_folder, regions
from uaps_jax.annotations.shapes import Shape, draw
from uaps_jax.labels import IGNORE

BACKGROUND = "_background_"
IGNORED = "__ignore__"


def write(proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
    """Writes `NAME.json` for each image, to be put beside it; see `Writer`."""
    with complete_folder(proposals, classes, folder) as partial:
        for proposal in proposals:
            path = partial / f"{proposal.stem}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content(proposal, classes), encoding="utf-8")


def content(proposal: Proposal, classes: Sequence[str]) -> str:
    """The file of one image; the score is a further key, which labelme keeps."""
    mask = proposal.pixels(classes)
    labels = {value: label for value, label, _ in regions(mask, classes)}
    labels |= {0: BACKGROUND} | ({IGNORE: IGNORED} if IGNORE in labels else {})
    file: dict[str, Any] = {
        "version": "5.0.0",
        "flags": {},
        "shapes": [
            {
                "label": labels[value],
                "points": points.tolist(),
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for value, points in polygons(mask)
        ],
        "imagePath": PurePosixPath(proposal.name).name,
        "imageData": None,
        "imageHeight": proposal.size[0],
        "imageWidth": proposal.size[1],
    }
    if proposal.score is not None:
        file["score"] = proposal.score
    return json.dumps(file, ensure_ascii=False, indent=2)


def polygons(mask: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Value and points, float [N, 2], of polygons that give the mask if they are drawn in order."""
    found: list[tuple[int, np.ndarray]] = []
    for is_joined in (True, False):
        outlined = outlines.outlines(mask, is_joined)
        found = [(outline.value, np.round(outline.points, 2)) for outline in outlined]
        drawn = np.zeros_like(mask)
        for value, points in found:
            draw(drawn, Shape(label="", polygons=[points]), value)
        if (drawn == mask).all():
            break  # Two classes do not cross each other.
    return found
