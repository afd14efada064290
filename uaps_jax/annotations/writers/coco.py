"""COCO: one JSON file, with run lengths as pycocotools reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from uaps_jax.annotations import outlines, run_lengths
from uaps_jax.annotations.proposals import Proposal, complete_folder, regions
from uaps_jax.datasets.folder.class_map import IGNORE_NAME
from uaps_jax.labels import IGNORE

FILE = "annotations.json"


def write(proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
    """Writes `annotations.json`; see `Writer`."""
    with complete_folder(proposals, classes, folder) as partial:
        (partial / FILE).write_text(content(proposals, classes), encoding="utf-8")


def content(proposals: Sequence[Proposal], classes: Sequence[str]) -> str:
    """The file: a category for each class but the background, a region for each connected one.

    The score of an image is that of its entry.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    has_ignored = False
    for number, proposal in enumerate(proposals, start=1):
        height, width = proposal.size
        image = {"id": number, "file_name": proposal.name, "width": width, "height": height}
        images.append(image | ({} if proposal.score is None else {"score": proposal.score}))
        for value, _, region in regions(proposal.pixels(classes), classes):
            has_ignored |= value == IGNORE
            for entry in _annotations(region):
                entry |= {"id": len(annotations) + 1, "image_id": number, "category_id": value}
                annotations.append(entry)
    named = [*enumerate(classes)][1:] + [(IGNORE, IGNORE_NAME)] * has_ignored
    categories = [{"id": value, "name": name, "supercategory": ""} for value, name in named]
    text = {
        "info": {"description": "proposed masks"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    return json.dumps(text, ensure_ascii=False)


def _annotations(region: np.ndarray) -> list[dict[str, Any]]:
    """An entry for each connected part of a region, bool [height, width]."""
    labels, _ = ndimage.label(region, outlines.EIGHT)
    entries = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        part = labels[rows, columns] == number
        lengths = run_lengths.of_part(part, columns.start, rows.start, region.shape)
        counts = run_lengths.to_text(lengths)
        box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        entries.append(
            {
                "segmentation": {"size": list(region.shape), "counts": counts},
                "bbox": list(map(float, box)),
                "area": int(part.sum()),
                "iscrowd": 0,
            }
        )
    return entries
