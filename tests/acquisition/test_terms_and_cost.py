"""The terms of a score, the distance of a choice, and the time that annotation takes."""

import math

import numpy as np
import pytest

from uaps_jax.acquisition import aggregation, cost, diversity, terms, uncertainty


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


def test_minutes_count_objects_and_boundary():
    mask = np.zeros((20, 30), np.uint8)
    model = cost.CostModel(image=10, object=4, click=1.5, spacing=10)
    assert model.minutes(mask) == pytest.approx(10 / 60)
    mask[2:6, 3:8] = 1
    mask[6, 8] = 1  # touches at a corner
    mask[10:12, 3:8] = 2
    mask[0:2, 28:30] = 2  # at the border of the image, which has no boundary
    assert cost.count_objects(mask) == 3
    sides = (2 * (4 + 5) + 4) + 2 * (2 + 5) + (2 + 2)
    assert cost.boundary_length(mask) == pytest.approx(math.pi / 4 * sides)
    seconds = 10 + 4 * 3 + 1.5 * math.pi / 4 * sides / 10
    assert model.minutes(mask) == pytest.approx(seconds / 60)


def test_the_boundary_of_a_disc_is_close_to_its_circumference():
    y, x = np.mgrid[:200, :200] + 0.5
    disc = (np.hypot(x - 100, y - 100) < 80).astype(np.uint8)
    assert cost.boundary_length(disc) == pytest.approx(2 * math.pi * 80, rel=0.02)


def test_the_default_model_is_written_out():
    assert cost.DEFAULT.words() == (
        "10 s an image, 4 s an object, 1.5 s for every 10 px of boundary"
    )
