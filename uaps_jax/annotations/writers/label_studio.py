"""Label Studio: tasks with a prediction each, and the labeling interface that they are for.

The tasks name their images as files that Label Studio serves from its own disk: the folder above
`images` is its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED is
true, and `images` is a local storage of the project, which need not be synchronised.
https://labelstud.io/guide/storage.html#Local-storage
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from uaps_jax.annotations import brush
from uaps_jax.annotations.proposals import Proposal, complete_folder, regions
from uaps_jax.annotations.writers.cvat import colour
from uaps_jax.datasets.folder.class_map import IGNORE_NAME
from uaps_jax.labels import IGNORE

TASKS = "tasks.json"
INTERFACE = "labeling_interface.xml"
LOCAL_FILES = "/data/local-files/?d=images/"
"""The address of an image without its name. A local storage cannot be the document root itself."""

BRUSH, IMAGE = "brush", "image"
MODEL = "uaps_jax"


def write(proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
    """Writes `tasks.json` and `labeling_interface.xml`; see `Writer`."""
    with complete_folder(proposals, classes, folder) as partial:
        confidences = confidence([proposal.score for proposal in proposals])
        with (partial / TASKS).open("w", encoding="utf-8") as file:
            for number, (proposal, score) in enumerate(zip(proposals, confidences, strict=True)):
                file.write(",\n" if number else "[\n")
                file.write(json.dumps(task(proposal, classes, number + 1, score)))
            file.write("\n]\n" if proposals else "[]\n")
        (partial / INTERFACE).write_text(interface(classes), encoding="utf-8")


def confidence(scores: Sequence[float | None]) -> list[float | None]:
    """The scores of predictions: 0 for the image that gains most by annotation, 1 for the least.

    Label Studio shows the lowest score first if tasks are sorted or sampled by it.
    """
    known = [score for score in scores if score is not None]
    span = max(known) - min(known) if known else 0.0
    return [None if s is None else (max(known) - s) / span if span else 0.0 for s in scores]


def task(
    proposal: Proposal, classes: Sequence[str], rank: int, score: float | None
) -> dict[str, Any]:
    """One task; its rank in the queue is among its data, so that tasks can be sorted by it."""
    prediction = {"model_version": MODEL, "result": list(_result(proposal, classes))}
    data = {IMAGE: LOCAL_FILES + quote(proposal.name), "rank": rank}
    return {
        "data": data | ({} if proposal.score is None else {"gain": proposal.score}),
        "predictions": [prediction | ({} if score is None else {"score": score})],
    }


def interface(classes: Sequence[str]) -> str:
    """The labeling interface: a brush for each class but the background, and for no label."""
    labels = [*list(enumerate(classes))[1:], (IGNORE, IGNORE_NAME)]
    rows = "".join(
        f"    <Label value={quoteattr(name)} background={quoteattr(_hex(value))}/>\n"
        for value, name in labels
    )
    return (
        f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}" zoom="true"/>\n'
        f'  <BrushLabels name="{BRUSH}" toName="{IMAGE}">\n{rows}  </BrushLabels>\n</View>\n'
    )


def _hex(value: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour(value))


def _result(proposal: Proposal, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    height, width = proposal.size
    for value, label, region in regions(proposal.pixels(classes), classes):
        yield {
            "id": f"class{value}",
            "type": "brushlabels",
            "from_name": BRUSH,
            "to_name": IMAGE,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": list(brush.encode(region)), "brushlabels": [label]},
        }
