"""Cross-entropy of hard pixels against numpy: which are kept, and what they add."""

import functools

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests import oracles
from tests.compare import relative_difference
from uaps_jax.labels import IGNORE
from uaps_jax.losses.ohem import ohem_cross_entropy


@functools.cache
def slopes(threshold, min_kept):
    loss = functools.partial(ohem_cross_entropy, threshold=threshold, min_kept=min_kept)
    return jax.jit(jax.value_and_grad(loss))


def batch(ignored=0.3, seed=0):
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(2, 6, 5, 3)).astype(np.float32)
    labels = random.integers(3, size=(2, 6, 5)).astype(np.int32)
    labels[random.uniform(size=labels.shape) < ignored] = IGNORE
    return logits, labels


# None of 60 pixels are forced, some, more than are labeled, and more than there are.
@pytest.mark.parametrize("min_kept", [0, 1, 30, 55, 1000])
@pytest.mark.parametrize("threshold", [0.3, 0.7, 1.0])
def test_value_and_gradient_equal_the_oracle(threshold, min_kept):
    logits, labels = batch()
    value, gradient = slopes(threshold, min_kept)(logits, labels)
    expected = oracles.ohem_cross_entropy(logits, labels, threshold, min_kept)
    assert relative_difference(value, expected) <= 1e-5
    indices = np.random.default_rng(1).permutation(logits.size)[:60]
    expected = oracles.numeric_gradient(
        lambda x: oracles.ohem_cross_entropy(x, labels, threshold, min_kept), logits, indices
    )
    assert relative_difference(gradient.reshape(-1)[indices], expected) <= 1e-4


def kept(gradient):
    return np.abs(gradient).max(-1) > 0


def test_the_threshold_decides_where_enough_pixels_are_below_it():
    logits, labels = batch(ignored=0)
    p = np.take_along_axis(oracles.softmax(logits), labels[..., None], -1)[..., 0]
    gradient = slopes(0.5, 5)(logits, labels)[1]
    assert 5 < (p <= 0.5).sum() < p.size
    assert_array_equal(kept(gradient), p <= 0.5)


def test_at_least_so_many_pixels_are_kept_and_the_hardest():
    logits, labels = batch(ignored=0)
    p = np.take_along_axis(oracles.softmax(logits), labels[..., None], -1)[..., 0]
    gradient = slopes(0.01, 20)(logits, labels)[1]
    assert (p <= 0.01).sum() < 20
    assert_array_equal(kept(gradient), p <= np.sort(p, axis=None)[19])
    assert kept(gradient).sum() == 20


def test_pixels_as_hard_as_the_last_one_are_kept_with_it():
    logits = np.zeros((1, 2, 4, 2), np.float32)
    logits[0, 0, 0, 0] = -3  # one pixel is harder than the other seven
    labels = np.zeros((1, 2, 4), np.int32)
    assert kept(slopes(0.1, 1)(logits, labels)[1]).sum() == 1
    assert kept(slopes(0.1, 2)(logits, labels)[1]).all()


def test_without_hard_or_forced_pixels_the_loss_is_zero():
    labels = np.zeros((1, 2, 2), np.int32)
    logits = np.broadcast_to(np.array([9.0, 0.0], np.float32), (1, 2, 2, 2))
    value, gradient = slopes(0.7, 0)(logits, labels)
    assert value == 0
    assert_array_equal(gradient, 0)


def test_without_labels_the_loss_is_zero():
    logits, labels = batch()
    value, gradient = slopes(0.7, 30)(logits, np.full_like(labels, IGNORE))
    assert value == 0
    assert_array_equal(gradient, 0)
