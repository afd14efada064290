"""The prediction of an image as callers get it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from uaps_jax.data import tiling
from uaps_jax.evaluation.decision import Decision
from uaps_jax.inference import tiles


class Prediction(NamedTuple):
    """The prediction of an image of `[H, W]` pixels.

    Attributes:
      mask: class ids, uint8 `[H, W]`.
      probabilities: of the classes, float32 `[H, W, C]`.
      uncertainty: float32 `[H, W]`; `TrainedModel.uncertainty_kind` says what it is, and its unit.
      score: how much of a defect the image shows (`evaluation.image_score`), by
        `TrainedModel.score_rule`.
      not_ok: the verdict of `TrainedModel.decision`; None where there is no decision.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    uncertainty: np.ndarray
    score: float
    not_ok: bool | None


def of_output(output: tiles.Output, decision: Decision | None) -> Prediction:
    """The prediction of an output with probabilities, and the verdict of a decision on it."""
    probabilities = output.values.astype(np.float32, copy=False)
    return Prediction(
        mask=tiling.likeliest(probabilities),
        probabilities=probabilities,
        uncertainty=output.uncertainty,
        score=output.score,
        not_ok=None if decision is None else decision.is_not_ok(output.score),
    )
