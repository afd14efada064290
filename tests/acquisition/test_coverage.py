"""Facility location against the sums over all pairs, and cases worked by hand."""

import numpy as np
import pytest

from uaps_jax.acquisition import coverage

SEED = 7


def plain(x, count, chosen=(), weights=None):
    """The same choice without shortcuts."""
    far = np.linalg.norm(x[:, None] - x[None], axis=-1)
    weights = np.ones(len(x)) if weights is None else weights
    picked = []
    for _ in range(count):
        have = [*chosen, *picked]
        costs = {j: weights @ far[:, [*have, j]].min(1) for j in range(len(x)) if j not in have}
        picked.append(min(costs, key=lambda j: (costs[j], j)))
    return picked


@pytest.mark.parametrize("chosen", [(), (3,), (0, 5, 29)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block", [1, 7, 256])
def test_every_image_lowers_the_distances_the_most(chosen, weighted, block, monkeypatch):
    monkeypatch.setattr(coverage, "BLOCK", block)
    random = np.random.default_rng(SEED)
    x = random.normal(size=(60, 3))
    weights = random.uniform(size=60) ** 3 if weighted else None
    found = coverage.facility_location(x, 12, chosen, weights)
    assert found == plain(x, 12, chosen, weights)


def test_the_largest_group_comes_first_and_an_outlier_last():
    x = np.array([0, 0.1, 0.2, 0.3, 10, 10.1, 10.2, 40])[:, None]
    assert coverage.facility_location(x[:-1], 2) == [3, 5]
    assert coverage.facility_location(x[:-1], 2, (0,))[0] == 5


def test_weights_decide_which_images_are_to_be_covered():
    x = np.array([0, 0.1, 0.2, 10, 10.1, 10.2, 20, 20.1])[:, None]
    weights = np.array([0, 0, 0, 1, 1, 1, 0.1, 0.1])
    assert coverage.facility_location(x, 2, (), weights) == [4, 6]
    assert coverage.facility_location(x, 1, (4,), weights) == [6]
    zeros = coverage.facility_location(x, 8, (), np.zeros(8))
    assert zeros == coverage.facility_location(x, 8)


def test_copies_are_chosen_when_there_is_nothing_else():
    assert coverage.facility_location(np.zeros((5, 2)), 4, (1,)) == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 1.0], "must not be negative"),
        ([1.0, np.nan, 1.0], "weights of some images are not finite"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        coverage.facility_location(np.eye(3), 1, (), np.array(weights))
