"""Stability, certainty and their product, SIR, of images under several checkpoints."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests import method_oracles as oracle
from uaps_jax.evaluation import reliability
from uaps_jax.losses import uncertainty

CLASSES = 3


def random_probabilities(*shape, seed=0):
    drawn = np.random.default_rng(seed).gamma(0.3, size=(*shape, CLASSES)) + 1e-6
    return (drawn / drawn.sum(-1, keepdims=True)).astype(np.float32)


def maps(*images):
    """Class maps `[K, 1, 2, 2]` from rows of four ids."""
    return jnp.asarray(images).reshape(len(images), 1, 2, 2)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        # Class 0: 1 of 2 pixels; class 1: 2 of 3.
        (((0, 1, 1, 1), (0, 0, 1, 1)), (1 / 2 + 2 / 3) / 2),
        # Class 2 is in one map only and counts as 0; class 1 is in neither.
        (((0, 0, 0, 2), (0, 0, 0, 0)), (3 / 4 + 0) / 2),
        (((1, 1, 1, 1), (2, 2, 2, 2)), 0.0),
        # The mean of 1 and of the first case.
        (((0, 0, 1, 1), (0, 1, 1, 1), (0, 0, 1, 1)), (1 + (1 / 2 + 2 / 3) / 2) / 2),
        # All checkpoints see background alone.
        (((0, 0, 0, 0),) * 3, 1.0),
    ],
)
def test_stability_worked_by_hand(images, expected):
    assert_allclose(reliability.stability(maps(*images), CLASSES), [expected], rtol=1e-6)


def test_certainty_worked_by_hand():
    p = jnp.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0], [0.8, 0.1, 0.1]])
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.1))
    expected = [1, 0, 0.5 * (1 - np.log(2) / np.log(3)), 0.8 * (1 - entropy / np.log(3))]
    assert_allclose(uncertainty.certainty(p), expected, atol=1e-6)


def test_sir_of_a_two_by_two_image_worked_by_hand():
    """One pixel changes between checkpoints; in the last, two pixels are sure and two even."""
    sure, even = [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]
    last = [sure, sure, even, even]  # classes 0, 0, 1, 1
    first = [sure, [0.0, 1.0, 0.0], even, even]  # classes 0, 1, 1, 1
    p = jnp.asarray([first, last]).reshape(2, 1, 2, 2, CLASSES)
    terms = reliability.sir_terms(p)
    assert_allclose(terms["stability"], [(1 / 2 + 2 / 3) / 2], rtol=1e-6)
    certainty = (1 + 1 + 2 * 0.5 * (1 - np.log(2) / np.log(3))) / 4
    assert_allclose(terms["certainty"], [certainty], rtol=1e-6)


def test_terms_equal_the_oracle():
    p = random_probabilities(3, 4, 6, 5)
    p[:, 1] = p[-1, 1]  # the second image is the same in all checkpoints
    terms = jax.jit(reliability.sir_terms)(p)
    stability, certainty = oracle.sir(p)
    assert_allclose(terms["stability"], stability, rtol=1e-5)
    assert_allclose(terms["certainty"], certainty, rtol=1e-5)
    assert terms["stability"][1] == 1
    assert certainty.min() > 0
    assert stability[0] < 1
