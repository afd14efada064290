"""Maps of uncertainty against numbers worked pixel by pixel, and their limits."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from uaps_jax.acquisition.uncertainty import UNCERTAINTIES


def ensemble(members=3, classes=4, seed=0):
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), (members, 5, 6))
    return p.astype(np.float32)


def entropy_of(p):
    return -sum(x * math.log(x) for x in p if x > 0)


def expected(name, p):
    """Of one pixel, from a list of the members' probabilities."""
    members, classes = len(p), len(p[0])
    q = [sum(float(row[c]) for row in p) / members for c in range(classes)]
    if name == "entropy":
        return entropy_of(q)
    if name == "least_confidence":
        return 1 - max(q)
    if name == "margin":
        first, second = sorted(q)[-1], sorted(q)[-2]
        return 1 - (first - second)
    if name == "bald":  # as the mean KL of the members to their mean
        return (
            sum(
                float(row[c]) * math.log(float(row[c]) / q[c])
                for row in p
                for c in range(classes)
                if row[c] > 0
            )
            / members
        )
    if name == "vote_entropy":
        votes = [max(range(classes), key=lambda c, row=row: row[c]) for row in p]
        return entropy_of([votes.count(c) / members for c in range(classes)])
    assert name == "temporal_disagreement"
    moved = [
        sum(abs(float(a) - float(b)) for a, b in zip(row, p[-1], strict=True)) / 2 for row in p[:-1]
    ]
    return sum(moved) / len(moved)


@pytest.mark.parametrize("name", UNCERTAINTIES)
def test_a_map_is_what_its_formula_says(name):
    p = ensemble()
    found = UNCERTAINTIES[name](p)
    assert found.shape == p.shape[1:3]
    for y, x in np.ndindex(*found.shape):
        assert_allclose(found[y, x], expected(name, p[:, y, x].tolist()), rtol=1e-5, atol=1e-7)


LARGEST = {
    "entropy": math.log(2),
    "least_confidence": 0.5,
    "margin": 1.0,
    "bald": math.log(2),
    "vote_entropy": math.log(2),
    "temporal_disagreement": 1.0,
}


@pytest.mark.parametrize("name", UNCERTAINTIES)
def test_sure_members_that_contradict_each_other_are_the_maximum_and_agreeing_ones_0(name):
    sure = np.array([[[[1.0, 0.0]]], [[[0.0, 1.0]]]], np.float32)
    assert UNCERTAINTIES[name](sure)[0, 0] == pytest.approx(LARGEST[name])
    assert UNCERTAINTIES[name](sure[[0, 0]])[0, 0] == 0


def test_an_ambiguity_that_all_members_see_is_no_disagreement():
    same = np.full((3, 1, 1, 2), 0.5, np.float32)
    assert UNCERTAINTIES["entropy"](same)[0, 0] == pytest.approx(math.log(2))
    for name in ("bald", "vote_entropy", "temporal_disagreement"):
        assert UNCERTAINTIES[name](same)[0, 0] == 0


@pytest.mark.parametrize("name", UNCERTAINTIES)
def test_one_member_is_enough_or_refused(name):
    alone = ensemble(members=1)
    if name in ("entropy", "least_confidence", "margin"):
        assert np.isfinite(UNCERTAINTIES[name](alone)).all()
    else:
        with pytest.raises(ValueError, match=f"^{name} compares the members"):
            UNCERTAINTIES[name](alone)
