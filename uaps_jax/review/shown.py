"""What the page shows, as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from uaps_jax import palette
from uaps_jax.labels import IGNORE
from uaps_jax.review import annotated
from uaps_jax.review.decisions import Decisions

FIELDS = ("rank", "image", "width", "height", "score", "ambiguity", "disagreement", "minutes")


def state(decisions: Decisions) -> dict[str, Any]:
    """The folder of the result, the classes of the brush with their colours, and the images."""
    queue = decisions.queue
    colours = [*palette.colour(np.arange(IGNORE)).tolist(), list(palette.IGNORED)]
    names = dict(enumerate(queue.class_names)) | {IGNORE: "no label"}
    return {
        "folder": str(queue.folder.absolute() / annotated.FOLDER),
        "classes": [
            {"id": label, "name": name, "colour": colours[label]}
            for label, name in names.items()
            if label
        ],
        "images": [image(decisions, entry.rank) for entry in queue.entries],
    }


def image(decisions: Decisions, rank: int) -> dict[str, Any]:
    """An image with its decision."""
    entry, decision = decisions.queue.entries[rank - 1], decisions[rank]
    return {name: getattr(entry, name) for name in FIELDS} | {
        "state": decision.state,
        "version": decision.version,
    }
