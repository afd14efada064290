"""Signs that masks are rough: boxes, ellipses or strokes; and images that have labels alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from uaps_jax.data.findings import Finding
from uaps_jax.data.source import Dataset
from uaps_jax.data.survey import Survey
from uaps_jax.data.visible import Defects

BOX_FILL = 0.97
"""A defect that covers at least so much of its bounding box looks like a box."""

ELLIPSE_OVERLAP = 0.93
"""A defect with at least this intersection over union with its ellipse looks like an ellipse."""

LEAST_AREA = 60
"""Pixels of a defect that is large enough to have a shape."""

LEAST_COUNT = 8
"""Fewer defects of this size are no evidence."""

USUAL = 0.8
"""The share of these defects from which on they are all taken for drawn so."""

STROKES = 0.5
"""The share of pixels without a label from which on a mask is taken for strokes."""

REMEDY = (
    "If they are rough, the recipe configs/folder_urn.py learns from them, and scores against them "
    "are no scores of exact masks."
)


def rough_masks(survey: Survey, found: Defects) -> Iterator[Finding]:
    """Masks that look like boxes, ellipses or strokes."""
    large = found.area >= LEAST_AREA
    if large.sum() >= LEAST_COUNT:
        fill = found.area[large] / found.box[large].prod(1)
        shapes = {
            "boxes": fill >= BOX_FILL,
            "ellipses": found.ellipse[large] >= ELLIPSE_OVERLAP,
        }
        for shape, looks_so in shapes.items():
            if looks_so.mean() >= USUAL:
                rows = np.unique(found.image[large][looks_so])
                yield Finding(
                    level="note",
                    title=f"masks look like {shape}",
                    text=f"{looks_so.sum()} of {large.sum()} defects of {LEAST_AREA} pixels and "
                    f"more are {shape}. {REMEDY}",
                    names=tuple(survey.names[row] for row in rows),
                )
    annotated = survey.annotated
    pixels = survey.pixels.sum(1)
    share = survey.pixels[:, -1] / np.maximum(pixels, 1)
    strokes = annotated & (share >= STROKES)
    if strokes.any() and strokes.sum() >= USUAL * annotated.sum():
        yield Finding(
            level="note",
            title="masks look like strokes",
            text=f"in {strokes.sum()} of {annotated.sum()} masks at least half of the pixels have "
            f"no label (255). {REMEDY}",
            names=tuple(survey.names[row] for row in np.flatnonzero(strokes)),
        )


def image_labels(dataset: Dataset) -> Iterator[Finding]:
    """Images whose classes are known, and not where they are."""
    labels = dataset.image_labels
    alone = sorted(name for name in labels if name not in dataset.masked)
    if labels:
        clean = sum(not classes for classes in labels.values())
        yield Finding(
            level="note",
            title="labels of whole images",
            text=f"{len(labels)} images have some, {clean} of them no defect; {len(alone)} have no "
            "mask. The recipe configs/folder_urn.py can learn from them.",
            names=tuple(alone),
        )
