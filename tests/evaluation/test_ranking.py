"""AUROC and average precision against counting every pair and every threshold."""

import numpy as np
import pytest

from uaps_jax.evaluation import ranking


def drawn(seed, ties):
    random = np.random.default_rng(seed)
    count = random.integers(2, 25)
    scores = random.integers(0, 5, count) / 4 if ties else random.uniform(size=count)
    is_positive = random.uniform(size=count) < 0.4
    is_positive[:2] = False, True
    return scores, is_positive


def auroc_by_pairs(scores, is_positive):
    pairs = [
        (a > b) + (a == b) / 2
        for a, is_defect in zip(scores, is_positive, strict=True)
        for b, other in zip(scores, is_positive, strict=True)
        if is_defect and not other
    ]
    return sum(pairs) / len(pairs)


def average_precision_by_thresholds(scores, is_positive):
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [p for s, p in zip(scores, is_positive, strict=True) if s >= threshold]
        recall = sum(chosen) / sum(is_positive)
        total += sum(chosen) / len(chosen) * (recall - recall_before)
        recall_before = recall
    return total


@pytest.mark.parametrize("ties", [False, True])
def test_they_are_those_of_plain_loops(ties):
    for seed in range(50):
        scores, is_positive = drawn(seed, ties)
        pair = scores, is_positive
        assert ranking.auroc(*pair) == pytest.approx(auroc_by_pairs(*pair))
        expected = average_precision_by_thresholds(*pair)
        assert ranking.average_precision(*pair) == pytest.approx(expected)


def test_a_weight_is_a_number_of_copies():
    scores, is_positive = drawn(3, True)
    weights = np.random.default_rng(0).integers(0, 4, len(scores))
    copies = np.repeat(np.arange(len(scores)), weights)
    expected = auroc_by_pairs(scores[copies], is_positive[copies])
    assert ranking.auroc(scores, is_positive, weights) == pytest.approx(expected)
    expected = average_precision_by_thresholds(scores[copies], is_positive[copies])
    assert ranking.average_precision(scores, is_positive, weights) == pytest.approx(expected)


def test_equal_scores_separate_nothing_and_missing_examples_are_nan():
    truth = np.array([True, False, True, False])
    assert ranking.auroc(np.zeros(4), truth) == 0.5
    assert ranking.average_precision(np.zeros(4), truth) == 0.5
    assert ranking.auroc(np.array([2.0, 1, 3, 0]), truth) == 1
    assert np.isnan(ranking.auroc(np.zeros(4), np.ones(4, bool)))
    assert np.isnan(ranking.average_precision(np.zeros(4), np.zeros(4, bool)))
