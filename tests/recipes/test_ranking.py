"""Scores and rankings against hand-worked cases."""

import csv

import numpy as np
import pytest

from uaps_jax.config import ConfigError
from uaps_jax.evaluation import metrics, reliability
from uaps_jax.recipes import label as labeling
from uaps_jax.recipes import ranking


def probabilities(classes, count):
    """One-hot, slightly soft, `[..., C]`."""
    return np.eye(count, dtype=np.float32)[np.asarray(classes)] * 0.9 + 0.1 / count


def mean_iou_of(first, second):
    """Over the classes in either map, by sets of pixels."""
    values = []
    for label in np.union1d(first, second):
        a, b = first == label, second == label
        values.append((a & b).sum() / (a | b).sum())
    return np.mean(values)


def test_identical_checkpoints_are_stable_and_a_2_by_2_case_is_worked_by_hand():
    last = [[0, 1], [0, 0]]
    # Class 0: 2 of 4, class 1: 1 of 2 and of 1; then 0: 3 of 4, 1: 0 of 1; mean (1/2 + 3/8) / 2.
    one = [[0, 1], [1, 0]]
    background = [[0, 0], [0, 0]]
    classes = np.array(
        [[one, last, background], [background, last, background], [last, last, background]]
    )
    terms = reliability.stability_terms(probabilities(classes, 3))
    assert terms.keys() == {"stability"}
    expected = ((2 / 3 + 1 / 2) / 2 + (3 / 4 + 0) / 2) / 2
    np.testing.assert_allclose(terms["stability"], [expected, 1, 1], rtol=1e-6)


def test_stability_is_the_mean_over_checkpoints_of_the_mean_iou():
    classes = np.random.default_rng(0).integers(0, 4, (3, 5, 6, 7))
    classes[:, 1][classes[:, 1] == 2] = 0  # a class that an image lacks
    expected = [
        np.mean([mean_iou_of(classes[k, image], classes[2, image]) for k in range(2)])
        for image in range(5)
    ]
    np.testing.assert_allclose(reliability.stability(classes, 4), expected, rtol=1e-6)


NAMES = ["a", "b", "c", "d", "e", "f", "g"]
SCORES = np.array([0.1, 0.9, 0.5, 0.5, 0.8, 0.2, 0.7])


def test_half_of_the_images_rounded_down_is_easy_and_equal_scores_are_in_order_of_names():
    rows = ranking.ranked(
        NAMES, {"stability": SCORES, "two": np.full(7, 2.0)}, ["x"] * 7, share=0.5, balanced=False
    )
    assert [row.name for row in rows] == ["b", "e", "g", "c", "d", "f", "a"]
    assert [row.part for row in rows] == ["easy"] * 3 + ["hard"] * 4
    assert [row.rank for row in rows] == list(range(1, 8))
    assert rows[0].score == pytest.approx(1.8)
    assert rows[0].terms == {"stability": 0.9, "two": 2.0}


def test_a_balanced_ranking_takes_half_of_every_kind():
    kinds = ["crack", "none", "crack", "crack", "none", "none", "none"]
    rows = ranking.ranked(NAMES, {"s": SCORES}, kinds, share=0.5, balanced=True)
    counts = ranking.kinds_of_parts(rows)
    assert counts == {"easy": {"crack": 1, "none": 2}, "hard": {"crack": 2, "none": 2}}
    assert {row.name for row in rows if row.part == "easy"} == {"b", "c", "e"}
    unbalanced = ranking.ranked(NAMES, {"s": SCORES}, kinds, share=0.5, balanced=False)
    assert ranking.kinds_of_parts(unbalanced)["easy"] == {"none": 3}
    # Rounding down in both kinds leaves a place, for the best of the others.
    of_two = {"s": np.array([1, 2])}
    uneven = ranking.ranked(["a", "b"], of_two, ["x", "y"], share=0.5, balanced=True)
    assert [row.part for row in uneven] == ["easy", "hard"]


def test_kinds_are_the_defect_class_of_most_pixels():
    counts = np.array([[90, 6, 4], [10, 0, 0], [80, 5, 15]])
    assert ranking.kinds(counts, ("background", "dark", "bright")) == [
        "dark",
        "background",
        "bright",
    ]


def test_the_csv_holds_every_number_exactly_and_is_read_by_part(tmp_path):
    rows = ranking.ranked(
        ['with "quotes", and a comma', "b", "sub/c"],
        {"stability": np.array([1 / 3, 0.25, 0.5])},
        ["x", "y", "x"],
        share=0.5,
        balanced=False,
    )
    file = tmp_path / ranking.FILE
    file.write_text(ranking.to_csv(rows))
    with file.open(newline="") as opened:
        read = list(csv.DictReader(opened))
    assert list(read[0]) == ["name", "score", "stability", "kind", "rank", "part"]
    assert [float(row["score"]) for row in read] == [0.5, 1 / 3, 0.25]
    assert ranking.names_of(file, "easy") == ["sub/c"]
    assert ranking.names_of(file, "hard") == ["b", 'with "quotes", and a comma']
    with pytest.raises(ConfigError, match="no image is of the part 'soft'"):
        ranking.names_of(file, "soft")


def test_a_confusion_matrix_counts_pixels_with_both_labels():
    truth = np.array([[0, 1, 255], [2, 2, 1]], np.uint8)
    label = np.array([[0, 2, 0], [2, 255, 1]], np.uint8)
    expected = [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(metrics.confusion(truth, label, 3), expected)


@pytest.mark.parametrize(
    ("counts", "warned"), [((9, 0, 0), True), ((9, 0, 1), False), ((0,), False)]
)
def test_pseudo_labels_without_any_defect_are_warned_of(counts, warned, caplog):
    labeling.warn_without_defects("label", "teacher", np.array(counts))
    assert ("no pseudo-label has a defect pixel" in caplog.text) == warned
