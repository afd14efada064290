"""The records of a study's results."""

from pathlib import Path

import numpy as np

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax.evaluation import metrics
from uaps_jax.study import figures
from uaps_jax.study.cells import Cell
from uaps_jax.study.outcome import Outcome
from uaps_jax.study.rows import rows_of


def outcome(scores):
    cell = Cell(
        dataset="neu",
        entry="new",
        budget="labeled_ratio 0.1",
        draw=45,
        seed=0,
        folder=Path("runs"),
        file="",
        overrides={},
        config=config_lib.validate(tiny.config("supervised")),
    )
    result = {"scores": {"latest": scores}, "other_predictors": {}, "parameters": 1}
    return Outcome(cell=cell, result=result, reason="")


def test_a_score_that_only_the_epsilon_makes_positive_is_zero():
    # The class is in the truth, one pixel of it, and is never predicted.
    confusion = np.array([[[0, 0], [1, 0]]])
    scores = metrics.scores(confusion, ("background", "dent"))
    assert 0 < scores["image_iou/dent"] < 1e-7
    assert 0 < scores["image_dice"] < 1e-7
    one = outcome(scores | {"dataset_iou": 1e-6, "clean_image_false_positive_rate": None})
    (row,) = rows_of([one], "latest")
    assert (row["image_iou/dent"], row["image_dice"], row["dataset_iou"]) == (0.0, 0.0, 1e-6)
    assert row["clean_image_false_positive_rate"] is None
    assert figures._scores([one], "new", "latest", "image_iou/dent") == [0.0]
