"""The terms of a score, and the distances of a choice."""

import math

import numpy as np
import pytest

from uaps_jax.acquisition import aggregation, diversity, terms, uncertainty


def ensemble(members):
    return np.random.default_rng(3).dirichlet(np.full(3, 0.4), (members, 9, 7))


@pytest.mark.parametrize("share", [0.001, 0.05, 1.0])
def test_the_terms_are_means_over_the_most_uncertain_pixels(share):
    p = ensemble(3)
    entropy, bald = uncertainty.entropy(p), uncertainty.bald(p)
    found = terms.of_top_share(entropy, bald, share)
    top = np.argsort(-entropy.reshape(-1))[: max(1, round(share * 63))]
    own = -(p * np.log(p)).sum(-1).mean(0)
    assert found.ambiguity == pytest.approx(own.reshape(-1)[top].mean())
    assert found.disagreement == pytest.approx((entropy - own).reshape(-1)[top].mean())
    assert found.score == pytest.approx(aggregation.top_share(entropy, share))


def test_a_single_member_has_no_disagreement():
    entropy = uncertainty.entropy(ensemble(1))
    found = terms.of_top_share(entropy, None, 0.1)
    assert found.disagreement is None
    assert found.score == found.ambiguity == pytest.approx(aggregation.top_share(entropy, 0.1))


def test_distances_are_to_all_that_come_before():
    x = np.array([[0.0, 0], [3, 4], [0, 1], [3, 3]])
    np.testing.assert_allclose(diversity.distances(x, [1, 2, 3]), [math.inf, math.hypot(3, 3), 1])
    np.testing.assert_allclose(diversity.distances(x, [1, 2, 3], [0]), [5, 1, 1])
    assert diversity.distances(x, [], [0]).shape == (0,)
