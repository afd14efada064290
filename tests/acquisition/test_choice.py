"""Diversity and batches: choices against plain loops, and what they must never do."""

import functools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans

from uaps_jax.acquisition import coverage, diversity, selection


def points(count=30, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3))


def generator(seed=0):
    return np.random.default_rng(seed)


def far(a, b):
    return math.dist(a.tolist(), b.tolist())


@pytest.mark.parametrize("chosen", [(), (4,), (3, 9, 20)])
def test_k_center_takes_the_farthest_each_time(chosen):
    x = points()
    picked = diversity.k_center(x, 6, chosen)
    taken = list(chosen)
    if not chosen:
        mean = x.mean(0)
        first = min(range(len(x)), key=lambda i: far(x[i], mean))
        assert picked[0] == first
        taken, picked = [first], picked[1:]
    for index in picked:
        free = [i for i in range(len(x)) if i not in taken]
        assert index == max(free, key=lambda i: min(far(x[i], x[j]) for j in taken))
        taken.append(index)


def test_k_center_covers_clusters_before_it_repeats_one():
    x = np.repeat(np.eye(4) * 10, 5, axis=0) + points(20, 1) @ np.zeros((3, 4))
    picked = diversity.k_center(x, 4)
    assert {index // 5 for index in picked} == {0, 1, 2, 3}


def test_k_means_plus_plus_draws_by_the_squared_distance():
    x = np.array([[0.0], [1.0], [3.0]])
    random = generator()
    drawn = [diversity.k_means_plus_plus(x, 1, random, (0,))[0] for _ in range(4000)]
    assert np.mean(np.array(drawn) == 2) == pytest.approx(0.9, abs=0.02)
    first = [diversity.k_means_plus_plus(x, 1, random)[0] for _ in range(3000)]
    assert_allclose(np.bincount(first) / 3000, 1 / 3, atol=0.04)
    assert sorted(diversity.k_means_plus_plus(np.zeros((4, 2)), 4, random)) == [0, 1, 2, 3]


def test_typicality_is_one_over_the_mean_distance_to_the_neighbours():
    x = points(12)
    found = diversity.typicality(x, 4)
    for i in range(12):
        nearest = sorted(far(x[i], x[j]) for j in range(12) if j != i)[:4]
        assert found[i] == pytest.approx(4 / sum(nearest))
    assert_allclose(diversity.typicality(x, 99)[0], 11 / sum(far(x[0], y) for y in x))
    assert_array_equal(diversity.typicality(x[:1], 4), [1])


def blobs(sizes, seed=0):
    """Well separated clusters, and which image is of which."""
    centers = np.eye(len(sizes)) * 100
    label = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).normal(size=(len(label), len(sizes)))
    return centers[label] + noise, label


def test_typiclust_takes_the_most_typical_of_the_largest_uncovered_clusters():
    x, label = blobs((30, 20, 10, 8))
    covered = int(np.flatnonzero(label == 0)[0])
    picked = diversity.typiclust(x, 3, generator(), (covered,))
    assert label[picked].tolist() == [1, 2, 3]
    for index in picked:
        inside = np.flatnonzero(label == label[index])
        of_cluster = diversity.typicality(x[inside], 20)
        assert index == inside[of_cluster.argmax()]


def test_a_cluster_of_a_few_outliers_is_used_last():
    x, label = blobs((30, 2, 20))
    picked = diversity.typiclust(x, 3, generator())
    assert label[picked].tolist() == [0, 2, 1]


def test_clusters_are_at_rest():
    """scikit-learn's iterations from the same start end in the same clusters."""
    x = np.random.default_rng(4).normal(size=(400, 2))
    found = diversity.cluster(x, 10, generator(3))
    start = x[diversity.k_means_plus_plus(x, 10, generator(3))]
    theirs = KMeans(10, init=start, n_init=1, max_iter=300, tol=0).fit(x)
    assert theirs.n_iter_ > 10
    inertia = sum(((x[found == c] - x[found == c].mean(0)) ** 2).sum() for c in np.unique(found))
    assert inertia == pytest.approx(theirs.inertia_, rel=1e-3)


def test_a_cluster_that_loses_its_last_image_is_dropped(monkeypatch):
    x = np.array([[1, 5], [5, 5], [2, 0], [7, 5], [2, 2], [6, 3], [7, 7], [1, 0], [0, 1]], float)
    monkeypatch.setattr(diversity, "k_means_plus_plus", lambda *_: [3, 1, 5, 0])
    found = diversity.cluster(x, 4, generator())
    assert set(found) == {0, 1, 2}
    centres = np.stack([x[found == c].mean(0) for c in range(3)])
    nearest = ((x[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    assert_array_equal(found, nearest)


def test_copies_are_chosen_when_there_is_nothing_else():
    x = np.zeros((6, 2))
    for choose in (
        functools.partial(diversity.k_center, x, 4),
        functools.partial(diversity.k_means_plus_plus, x, 4, generator()),
        functools.partial(diversity.typiclust, x, 4, generator()),
    ):
        assert len(set(choose(chosen=(2,))) | {2}) == 5


SCORES = np.random.default_rng(5).uniform(size=30)
ALL = {
    "k-center": lambda count, chosen: diversity.k_center(points(), count, chosen),
    "k-means++": lambda count, chosen: diversity.k_means_plus_plus(
        points(), count, generator(), chosen
    ),
    "typiclust": lambda count, chosen: diversity.typiclust(points(), count, generator(), chosen),
    "highest": lambda count, chosen: selection.highest(SCORES, count, chosen),
    "stochastic": lambda count, chosen: selection.stochastic(SCORES, count, generator(), chosen),
    "facility location": lambda count, chosen: coverage.facility_location(points(), count, chosen),
    "hybrid": lambda count, chosen: selection.hybrid(SCORES, points(), count, chosen),
    "uniform": lambda count, chosen: selection.uniform(30, count, generator(), chosen),
}


@pytest.mark.parametrize("name", ALL)
def test_choices_are_different_images_that_are_not_annotated(name):
    chosen = (0, 5, 29)
    for count in (0, 1, 8, 27):
        picked = ALL[name](count, chosen)
        assert len(set(picked)) == len(picked) == count
        assert not set(picked) & set(chosen)
        assert picked == ALL[name](count, chosen)  # a function of its generator's seed
    with pytest.raises(ValueError, match="28 images are to be chosen, and 27 are not annotated"):
        ALL[name](28, chosen)


def test_the_highest_scores_come_first():
    assert selection.highest(np.array([0.1, 0.9, 0.5, 0.9]), 3) == [1, 3, 2]
    assert selection.highest(np.array([0.1, 0.9, 0.5, 0.9]), 2, (1,)) == [3, 2]


@pytest.mark.parametrize(("power", "expected"), [(0.0, 0.5), (1.0, 0.8), (2.0, 16 / 17)])
def test_stochastic_draws_are_in_proportion_to_the_power_of_the_score(power, expected):
    random, scores = generator(), np.array([0.2, 0.8])
    first = [selection.stochastic(scores, 1, random, power=power)[0] for _ in range(4000)]
    assert np.mean(first) == pytest.approx(expected, abs=0.025)


@pytest.mark.parametrize("power", [0.0, 0.001, 1.0, 1e6])
def test_scores_of_0_come_last_in_random_order(power):
    scores = np.array([0.0, 1e-9, 0.0, 1.0])
    drawn = [selection.stochastic(scores, 4, generator(seed), power=power) for seed in range(20)]
    assert all(set(order[:2]) == {1, 3} for order in drawn)
    assert {order[2] for order in drawn} == {0, 2}


def test_an_infinite_power_takes_the_highest():
    scores = np.array([0.5, 0.0, 0.9, 0.9, 0.1])
    found = selection.stochastic(scores, 4, generator(), (0,), power=math.inf)
    assert found == selection.highest(scores, 4, (0,)) == [2, 3, 4, 1]


def test_negative_scores_and_powers_and_what_is_no_number_are_refused():
    for power in (-1.0, math.nan):
        with pytest.raises(ValueError, match=f"power = {power}: must be a number from 0 on"):
            selection.stochastic(np.ones(2), 1, generator(), power=power)
    with pytest.raises(ValueError, match="must not be negative"):
        selection.stochastic(np.array([-1.0, 1.0]), 1, generator())
    with pytest.raises(ValueError, match="scores of some images are not finite"):
        selection.highest(np.array([np.nan, 1.0]), 1)


def test_the_hybrid_leaves_out_what_is_known_and_what_is_shown_already():
    """Four kinds of image: known; unsure and annotated; unsure, in two kinds of many copies."""
    x, label = blobs((20, 20, 20, 20))
    annotated = np.flatnonzero(label == 1)[:3].tolist()
    for seed in range(10):
        scores = np.where(label == 0, 1e-6, generator(seed).uniform(0.5, 1, len(label)))
        picked = selection.hybrid(scores, x, 2, annotated)
        assert set(label[picked]) == {2, 3}
        assert selection.hybrid(9 * scores, x, 2, annotated) == picked


def test_the_hybrid_takes_an_outlier_after_what_many_uncertain_images_are_like():
    x, label = blobs((30, 1, 20))
    scores = np.where(label == 1, 2.0, 1.0)
    assert selection.highest(scores, 1) == [30]
    assert label[selection.hybrid(scores, x, 3)].tolist() == [0, 2, 1]


def test_the_hybrid_chooses_by_features_alone_where_nothing_is_uncertain():
    x, _ = blobs((5, 8))
    assert selection.hybrid(np.zeros(13), x, 6, (2,)) == coverage.facility_location(x, 6, (2,))
