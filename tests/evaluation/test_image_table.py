"""The table of the images of an evaluation, by hand."""

import csv
import io

import numpy as np

from tests.evaluation.test_image_level import DECISION
from uaps_jax.evaluation.evaluate import Measured
from uaps_jax.evaluation.image_table import table

NAMES = ("background", "dent", "scratch")


def test_every_image_has_its_score_verdict_truth_and_overlap():
    confusions = np.zeros((3, 3, 3), int)  # truth, prediction
    confusions[0] = [[90, 2, 0], [3, 5, 0], [0, 0, 0]]  # dent: 5 of 10
    confusions[1] = [[96, 0, 4], [0, 0, 0], [0, 0, 0]]  # good, with four false pixels
    of_images = np.array([0.75, 0.5, 0.25], np.float32)
    measured = Measured(confusions=confusions, image_scores=of_images, near_counts=None)
    names, groups = ("a", "below/b", "c"), (7, -1, 3)
    rows = list(csv.DictReader(io.StringIO(table(names, groups, measured, NAMES, DECISION))))
    assert rows[0] == {
        "image": "a",
        "group": "7",
        "truth": "defective",
        "score": "0.75",
        "verdict": "not OK",
        "image_iou": "50.00",
        "image_dice": "66.67",
        "image_iou/dent": "50.00",
        "truth_px/dent": "8",
        "predicted_px/dent": "7",
        "image_iou/scratch": "",
        "truth_px/scratch": "0",
        "predicted_px/scratch": "0",
    }
    assert [row["truth"] for row in rows] == ["defective", "good", ""]
    assert [row["verdict"] for row in rows] == ["not OK", "OK", "OK"]
    assert [row["group"] for row in rows] == ["7", "", "3"]
    assert (rows[1]["image_iou"], rows[1]["predicted_px/scratch"]) == ("", "4")
    without = csv.DictReader(io.StringIO(table(names, groups, measured, NAMES, None)))
    assert {row["verdict"] for row in without} == {""}
