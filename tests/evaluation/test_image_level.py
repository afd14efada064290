"""Figures of whole images, by hand."""

import dataclasses

import numpy as np
import pytest

from tests.evaluation.test_decision import TOP
from uaps_jax.evaluation import image_level
from uaps_jax.evaluation.decision import Decision, Target

NAMES = ("background", "dent", "scratch")
# Seven images: their truth, score, leakage group. The last one has no labeled pixel.
CLASSES = [(1,), (0, 1, 2), (0, 2), (0,), (0,), (0,), ()]
SCORES = np.array([0.9, 0.6, 0.2, 0.7, 0.1, 0.3, 0.8])
GROUPS = [7, 7, 3, 3, 4, -1, -1]


def confusions():
    counts = np.zeros((7, 3, 3), int)
    for matrix, classes in zip(counts, CLASSES, strict=True):
        for label in classes:
            matrix[label, 0] = 5
    return counts


DECISION = Decision(
    rule=TOP,
    threshold=0.5,
    target=Target(aim="false_alarms", rate=0.05),
    good=4,
    defective=3,
    false_alarms=1,
    found=2,
)


def judged():
    truth = image_level.truth(confusions())
    return image_level.judge(SCORES, truth, GROUPS, NAMES, DECISION)


def test_an_image_without_labels_is_neither_good_nor_defective():
    truth = image_level.truth(confusions())
    assert truth.is_defective.tolist() == [True, True, True, False, False, False, False]
    assert truth.is_good.tolist() == [False, False, False, True, True, True, False]


def test_separation_is_of_defective_against_good_images():
    truth = image_level.truth(confusions())
    # Pairs that are right: 0.9 and 0.6 beat (0.7, 0.1, 0.3) three and two times, 0.2 once.
    found = image_level.separation(SCORES, truth)
    assert found["auroc"] == pytest.approx(100 * 6 / 9)
    assert found["average_precision"] == pytest.approx(100 * (1 + 2 / 3 + 3 / 5) / 3)
    by_class = image_level.separation_by_class(SCORES, truth, NAMES)
    assert by_class["auroc/dent"] == pytest.approx(100 * 5 / 6)
    assert by_class["auroc/scratch"] == pytest.approx(100 * 3 / 6)
    assert by_class["average_precision/scratch"] == pytest.approx(100 * (1 / 2 + 2 / 4) / 2)
    only = image_level.separation(SCORES[:3], image_level.truth(confusions()[:3]))
    assert np.isnan(list(only.values())).all()


def test_verdicts_are_counted_by_image_class_and_leakage_group():
    result = judged()
    counts = {
        "found": (result.found, 2, 3),
        "false alarms": (result.false_alarms, 1, 3),
        "dent": (result.of_class["dent"], 2, 2),
        "scratch": (result.of_class["scratch"], 1, 2),
        # Group 3 has a defective image, which is missed; its good one is no group of its own.
        "groups found": (result.groups_found, 1, 2),
        "groups alarmed": (result.groups_alarmed, 0, 2),
    }
    for name, (count, counted, of) in counts.items():
        assert (count.counted, count.of) == (counted, of), name
        low, high = count.interval
        assert 0 <= low <= count.rate <= high <= 100, name


def test_entries_have_every_figure_under_its_name():
    entries = judged().entries()
    assert entries["recall"] == pytest.approx(200 / 3)
    assert (entries["found"], entries["defective_images"]) == (2, 3)
    assert entries["false_alarm_rate"] == pytest.approx(100 / 3)
    assert (entries["false_alarms"], entries["good_images"]) == (1, 3)
    assert (entries["recall/scratch"], entries["found/dent"]) == (50, 2)
    assert entries["groups_found"], entries["defective_groups"] == (1, 2)
    assert entries["auroc_low"] <= 100 * 6 / 9 <= entries["auroc_high"]
    assert entries["recall_low/scratch"] == 0


def test_without_good_images_rates_are_nan():
    truth = image_level.truth(confusions()[:3])
    recall = Target(aim="recall", rate=0.6)
    decision = dataclasses.replace(DECISION, target=recall, good=0, false_alarms=0)
    result = image_level.judge(SCORES[:3], truth, GROUPS[:3], NAMES, decision)
    assert (result.found.counted, result.false_alarms.of) == (2, 0)
    assert np.isnan([result.false_alarms.rate, *result.false_alarms.interval]).all()
    assert np.isnan(result.auroc_interval).all()
