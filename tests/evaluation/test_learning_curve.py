"""The area under a learning curve, its fit against scipy's, and what it foretells."""

import math

import numpy as np
import pytest
from scipy import optimize

from uaps_jax.evaluation import learning_curve
from uaps_jax.evaluation.learning_curve import Curve

COUNTS = (8, 16, 32, 64, 128)


def law(n, limit, scale, exponent):
    return limit - scale * np.asarray(n, float) ** -exponent


def test_the_area_is_a_mean_in_which_each_doubling_counts_the_same():
    assert learning_curve.area((8, 16, 32), (40, 60, 70)) == pytest.approx((50 + 65) / 2)
    assert learning_curve.area((10, 20, 80), (40, 60, 70)) == pytest.approx((50 + 2 * 65) / 3)
    for counts, scores in (((8,), (1,)), ((8, 8), (1, 2)), ((0, 8), (1, 2)), ((8, 9), (1,))):
        with pytest.raises(ValueError, match="that ascend are needed"):
            learning_curve.area(counts, scores)


def test_a_curve_is_found_again():
    scores = law(COUNTS, 82.0, 120.0, 0.7)
    found = learning_curve.fit(COUNTS, [scores])
    assert found.curve.limit == pytest.approx(82, abs=0.3)
    assert found.curve(400) == pytest.approx(law(400, 82, 120, 0.7), abs=0.2)
    wanted = (120 / (82 - 78)) ** (1 / 0.7)
    assert found.curve.labels_for(78) == pytest.approx(wanted, rel=0.05)
    labels, (low, high) = found.labels_for(78)
    assert low <= labels * 1.001
    assert labels <= high * 1.001
    assert math.isinf(found.curve.labels_for(90))
    gain, (low, high) = found.gain(128, 128)
    assert gain == pytest.approx(law(256, 82, 120, 0.7) - law(128, 82, 120, 0.7), abs=0.2)
    assert low - 1e-6 <= gain <= high + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_that_of_scipy(seed):
    random = np.random.default_rng(seed)
    truth = law(COUNTS, random.uniform(60, 95), random.uniform(50, 200), random.uniform(0.3, 1.2))
    scores = np.clip(truth + random.normal(0, 1.0, len(COUNTS)), 0, 100)
    ours = learning_curve._fit(np.array(COUNTS, float), scores)
    bounds = ([0, 0, 0.05], [100, np.inf, 3])
    theirs, _ = optimize.curve_fit(
        law, COUNTS, scores, p0=(80, 60, 0.5), bounds=bounds, max_nfev=20000
    )
    ours_error = ((law(COUNTS, ours.limit, ours.scale, ours.exponent) - scores) ** 2).sum()
    their_error = ((law(COUNTS, *theirs) - scores) ** 2).sum()
    assert ours_error <= their_error * 1.01 + 1e-6


def test_scores_that_fall_or_lie_at_the_top_have_a_level_curve():
    falling = learning_curve.fit(COUNTS, [[60, 58, 57, 56, 55]]).curve
    assert falling == Curve(limit=57.2, scale=0.0, exponent=falling.exponent)
    assert falling.labels_for(50) == 0
    assert math.isinf(falling.labels_for(60))
    steep = learning_curve.fit(COUNTS, [[10, 30, 50, 70, 90]]).curve
    assert steep.limit == 100
    assert steep.scale > 0


@pytest.mark.parametrize(("runs", "rounds"), [(1, 5), (3, 4), (3, 5)])
def test_the_interval_of_the_gain_covers_the_truth(runs, rounds, monkeypatch):
    """Of 50 draws an honest 95 % interval misses at most 6, but for a chance of 1 %."""
    monkeypatch.setattr(learning_curve, "DRAWS", 150)
    random = np.random.default_rng(1)
    counts = np.array(COUNTS[-rounds:])
    truth, gain = law(counts, 80, 100, 0.6), law(192, 80, 100, 0.6) - law(128, 80, 100, 0.6)
    covered = 0
    for seed in range(50):
        offsets = random.normal(0, 1, (runs, 1))
        table = truth + offsets + random.normal(0, 1.5, (runs, rounds))
        _, (low, high) = learning_curve.fit(counts, table, seed).gain(128, 64)
        covered += low <= gain <= high
    assert covered >= 44


def test_the_interval_covers_the_truth_and_shrinks_with_runs():
    random = np.random.default_rng(3)
    truth = law(COUNTS, 80, 100, 0.6)
    widths = []
    for runs in (3, 30):
        table = truth + random.normal(0, 2, (runs, len(COUNTS)))
        found = learning_curve.fit(COUNTS, table)
        score, (low, high) = found.score(128)
        assert low <= score <= high
        assert low - 1 <= truth[-1] <= high + 1
        widths.append(high - low)
    assert widths[1] < widths[0]
    again = learning_curve.fit(COUNTS, table)
    assert again == found
    with pytest.raises(ValueError, match="at least 4 numbers"):
        learning_curve.fit(COUNTS[:3], table[:, :3])
