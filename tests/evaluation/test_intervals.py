"""Intervals: by hand where they are exact, and against a bootstrap of another form."""

import numpy as np
import pytest
from scipy import stats

from uaps_jax.evaluation import intervals, ranking


@pytest.mark.parametrize("groups", [1, 3, 20])
def test_of_all_or_none_the_interval_is_that_of_a_binomial_over_the_groups(groups):
    each = np.repeat(np.arange(groups), 4)  # four images a group count as one trial
    found = np.ones(len(each), bool)
    exact = stats.binomtest(groups, groups).proportion_ci(0.95, "exact")
    assert intervals.of_share(found, each) == pytest.approx((exact.low, exact.high))
    exact = stats.binomtest(0, groups).proportion_ci(0.95, "exact")
    assert intervals.of_share(~found, each) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("groups", [2, 6, 20])
def test_of_the_same_share_of_all_groups_the_interval_is_that_of_a_binomial(groups):
    each = np.repeat(np.arange(groups), 4)
    found = np.arange(len(each)) % 2 == 0
    exact = stats.binomtest(groups // 2, groups).proportion_ci(0.95, "exact")
    assert intervals.of_share(found, each) == pytest.approx((exact.low, exact.high))


def test_a_share_of_groups_that_is_not_a_whole_number_has_an_interval():
    each = np.repeat(np.arange(5), 2)
    low, high = intervals.of_share(np.arange(10) % 2 == 0, each)  # 2.5 of 5
    assert high == pytest.approx(1 - low)
    two, three = (stats.binomtest(k, 5).proportion_ci(0.95, "exact") for k in (2, 3))
    assert two.low < low < three.low
    assert two.high < high < three.high


def test_a_statistic_that_never_varies_has_no_interval():
    """Perfect separation: every draw with both kinds has the area 1."""
    scores, groups = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.3]), np.arange(6)

    def separation(scores):
        return lambda times: ranking.auroc(scores, np.arange(6) < 3, times)

    assert np.isnan(intervals.of_statistic(separation(scores), groups)).all()
    scores[2] = 0.25
    low, high = intervals.of_statistic(separation(scores), groups)
    assert low < 8 / 9 <= high


def test_a_single_group_says_nothing_of_others():
    assert intervals.of_share(np.array([True, False]), np.array([5, 5])) == (0, 1)


def test_nothing_has_no_interval():
    assert np.isnan(intervals.of_share(np.zeros(0, bool), np.zeros(0, int))).all()


def test_images_that_are_independent_have_the_interval_of_a_binomial():
    found = np.arange(200) < 140
    low, high = intervals.of_share(found, np.arange(200))
    width = 1.96 * np.sqrt(0.7 * 0.3 / 200)
    assert low == pytest.approx(0.7 - width, abs=0.015)
    assert high == pytest.approx(0.7 + width, abs=0.015)


def test_copies_of_an_image_do_not_narrow_the_interval():
    found, groups = np.arange(50) < 35, np.arange(50)
    once = intervals.of_share(found, groups)
    copied = intervals.of_share(np.repeat(found, 6), np.repeat(groups, 6))
    assert copied == pytest.approx(once)
    as_if_independent = intervals.of_share(np.repeat(found, 6), np.arange(300))
    assert as_if_independent[1] - as_if_independent[0] < 0.6 * (once[1] - once[0])


def test_a_statistic_is_bootstrapped_by_groups():
    values = np.random.default_rng(0).normal(size=60)
    groups = np.repeat(np.arange(20), 3)

    def mean(times):
        return float((times * values).sum() / times.sum())

    low, high = intervals.of_statistic(mean, groups)
    by_group = values.reshape(20, 3).mean(1)
    random = np.random.default_rng(9)
    means = [by_group[random.integers(0, 20, 20)].mean() for _ in range(4000)]
    assert (low, high) == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.04)
    assert np.isnan(intervals.of_statistic(lambda times: float("nan"), groups)).all()
