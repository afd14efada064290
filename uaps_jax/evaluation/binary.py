"""Metrics of the one defect class of a binary dataset, over the pixels of all images.

Every score is in percent.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

TOLERANCE = 2
"""In pixels: how far a predicted pixel may be from a true one, and the other way round."""

NAMES = tuple(
    f"dataset_{name}{suffix}"
    for suffix in ("", f"_{TOLERANCE}px")
    for name in ("precision", "recall", "f1")
)


def near_counts(truth: Any, prediction: Any, known: Any) -> Any:
    """Defect pixels that have a counterpart within `TOLERANCE`, by Euclidean distance.

    A predicted pixel without a label is not counted, and can be the counterpart of a true one.

    Args:
      truth: bool `[..., H, W]`, the pixels of the defect; of numpy or JAX.
      prediction: likewise, the predicted ones.
      known: likewise, those that have a label.

    Returns:
      Integer `[..., 2]`: predicted pixels with a true one near, true pixels with a predicted one
      near.
    """
    xp = truth.__array_namespace__()
    correct = prediction & known & _within(truth, TOLERANCE)
    found = truth & _within(prediction, TOLERANCE)
    return xp.stack([correct.sum((-2, -1)), found.sum((-2, -1))], axis=-1)


def scores(confusions: np.ndarray, near: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of the defect, exact and with the tolerance.

    With the counts of all images together: precision is the share of the predicted pixels that are
    correct, recall the share of the true ones that are found, and F1 their harmonic mean. The exact
    F1 is the Dice coefficient of the dataset. With the tolerance, a predicted pixel is correct if a
    true one is near, and a true one is found if a predicted one is near.

    Args:
      confusions: integer `[N, 2, 2]` (truth, prediction).
      near: `[N, 2]`, `near_counts` of the images.

    Returns:
      A value for each of `NAMES`; NaN for the precision if nothing is predicted, for the recall if
      there is no defect, and for F1 if both hold.
    """
    total = confusions.sum(0)
    predicted, true, both = int(total[:, 1].sum()), int(total[1].sum()), int(total[1, 1])
    correct, found = (int(number) for number in near.sum(0))
    values = (
        *_precision_recall_f1(both, predicted, both, true),
        *_precision_recall_f1(correct, predicted, found, true),
    )
    return dict(zip(NAMES, values, strict=True))


def _precision_recall_f1(
    correct: int, predicted: int, found: int, true: int
) -> tuple[float, float, float]:
    precision = correct / predicted if predicted else float("nan")
    recall = found / true if true else float("nan")
    if not correct or not found:
        f1 = 0.0 if predicted or true else float("nan")
    else:
        f1 = 2 * precision * recall / (precision + recall)
    return 100 * precision, 100 * recall, 100 * f1


def _within(pixels: Any, radius: int) -> Any:
    """Whether one of the pixels is at most so far away, `[..., H, W]`."""
    xp = pixels.__array_namespace__()
    height, width = pixels.shape[-2:]
    margins = [(0, 0)] * (pixels.ndim - 2) + [(radius, radius)] * 2
    wide = xp.pad(pixels, margins)
    steps = range(-radius, radius + 1)
    shifted = (
        wide[..., radius + y : radius + y + height, radius + x : radius + x + width]
        for y, x in itertools.product(steps, steps)
        if y * y + x * x <= radius * radius
    )
    found = xp.zeros_like(pixels)
    for one in shifted:
        found = found | one
    return found
