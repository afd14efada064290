"""The energy terms, released and repaired."""

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from tests.compare import relative_difference
from uaps_jax.labels import IGNORE
from uaps_jax.losses import energy

MARGINS = (-3.0, -2.0)

pixel_energy = jax.jit(energy.pixel_energy)
pixel_energy_slopes = jax.jit(jax.value_and_grad(energy.pixel_energy))
energy_hinge = jax.jit(energy.energy_hinge)
energy_hinge_slopes = jax.jit(jax.value_and_grad(energy.energy_hinge))


def batch(classes=4, ignored=0.2, scale=2.0):
    rng = np.random.default_rng(0)
    logits = (scale * rng.normal(size=(2, 5, 4, classes))).astype(np.float32)
    labels = rng.integers(classes, size=(2, 5, 4)).astype(np.int32)
    labels[rng.uniform(size=labels.shape) < ignored] = IGNORE
    return logits, labels


def masks():
    rng = np.random.default_rng(1)
    inside = rng.uniform(size=(2, 5, 4)) < 0.5
    return inside, ~inside & (rng.uniform(size=inside.shape) < 0.7)


@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_pixel_energy_equals_the_oracle(classes, ignored):
    logits, labels = batch(classes, ignored)
    result = pixel_energy(logits, labels)
    assert relative_difference(result, oracles.energy_released(logits, labels)) <= 1e-5


def test_pixel_energy_is_the_mean_confidence_and_half_its_variance():
    logits, labels = batch(ignored=0.0)
    p = np.take_along_axis(oracles.softmax(logits), labels[..., None], -1)
    result = float(pixel_energy(logits, labels))
    assert result == pytest.approx(p.mean() + p.var() / 2, abs=p.var() / 10)
    assert abs(result - p.mean()) > p.var() / 4


def test_pixel_energy_by_hand():
    # Labels' probabilities 3/4 and 1/4: log of the mean of exp(3/4) and exp(1/4).
    logits = np.log(np.array([[[[3.0, 1.0], [3.0, 1.0]]]])).astype(np.float32)
    expected = np.log((np.exp(0.75) + np.exp(0.25)) / 2)
    assert pixel_energy(logits, np.array([[[0, 1]]])) == pytest.approx(expected, rel=1e-6)
    assert pixel_energy(logits, np.array([[[0, IGNORE]]])) == pytest.approx(0.75, rel=1e-6)


def test_pixel_energy_gradient_equals_central_differences_of_the_oracle():
    logits, labels = batch()
    gradient = np.asarray(pixel_energy_slopes(logits, labels)[1])
    assert_array_equal(gradient[labels == IGNORE], 0)
    expected = oracles.numeric_gradient(
        lambda x: oracles.energy_released(x, labels), logits, range(0, logits.size, 3)
    )
    assert relative_difference(gradient.reshape(-1)[::3], expected) <= 1e-4
    # Minimised, it lowers the label's probability: the label's own logit is pushed down.
    valid = labels != IGNORE
    own = np.take_along_axis(gradient, np.where(valid, labels, 0)[..., None], -1)[..., 0]
    assert (own[valid] > 0).all()


def test_pixel_energy_without_labels_is_zero_with_zero_gradient():
    logits, labels = batch()
    nothing = np.full_like(labels, IGNORE)
    value, gradient = pixel_energy_slopes(logits, nothing)
    assert value == 0
    assert_array_equal(gradient, 0)


def test_free_energy_equals_the_oracle():
    logits, _ = batch()
    result = jax.jit(energy.free_energy)(logits)
    assert result.shape == (2, 5, 4)
    assert relative_difference(result, oracles.free_energy(logits)) <= 1e-5
    assert jax.jit(energy.free_energy)(np.zeros(4, np.float32)) == pytest.approx(-np.log(4))


def test_energy_hinge_equals_the_oracle():
    logits, _ = batch()
    inside, outside = masks()
    result = energy_hinge(logits, inside, outside, MARGINS)
    expected = oracles.energy_hinge(logits, inside, outside, *MARGINS)
    assert expected > 0.1
    assert relative_difference(result, expected) <= 1e-5


def test_energy_hinge_gradient_lowers_trusted_and_raises_disputed_pixels():
    logits, _ = batch()
    inside, outside = masks()
    gradient = np.asarray(energy_hinge_slopes(logits, inside, outside, MARGINS)[1])
    expected = oracles.numeric_gradient(
        lambda x: oracles.energy_hinge(x, inside, outside, *MARGINS),
        logits,
        range(0, logits.size, 3),
    )
    assert relative_difference(gradient.reshape(-1)[::3], expected) <= 1e-4
    # Higher logits, lower energy.
    assert gradient[inside].max() <= 0
    assert gradient[inside].min() < 0
    assert gradient[outside].min() >= 0
    assert gradient[outside].max() > 0
    assert_array_equal(gradient[~inside & ~outside], 0)


def test_energy_hinge_is_zero_between_the_margins():
    logits = np.full((1, 2, 2, 4), 2.5 - np.log(4), np.float32)  # energy -2.5 everywhere
    everywhere = np.ones((1, 2, 2), bool)
    result = energy_hinge(logits, everywhere, everywhere, (-2.0, -3.0))
    assert result == 0
    result = energy_hinge(logits, everywhere, everywhere, (-3.0, -2.0))
    assert result == pytest.approx(0.25 + 0.25, rel=1e-5)


@pytest.mark.parametrize("empty", ["inside", "outside", "both"])
def test_energy_hinge_of_an_empty_mask_adds_nothing(empty):
    logits, _ = batch()
    inside, outside = masks()
    if empty in ("inside", "both"):
        inside = np.zeros_like(inside)
    if empty in ("outside", "both"):
        outside = np.zeros_like(outside)
    value, gradient = energy_hinge_slopes(logits, inside, outside, MARGINS)
    expected = oracles.energy_hinge(logits, inside, outside, *MARGINS)
    assert value == pytest.approx(expected, rel=1e-5)
    assert (value == 0) == (empty == "both")
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_extreme_logits_have_finite_energies_and_gradients(sign):
    logits = np.full((1, 2, 2, 3), sign * 1e4, np.float32)
    logits[..., 1] *= -1
    labels = np.array([[[0, 1], [2, IGNORE]]])
    inside, outside = labels == 0, labels == 1
    value, gradient = pixel_energy_slopes(logits, labels)
    assert value == pytest.approx(oracles.energy_released(logits, labels), rel=1e-5, abs=1e-6)
    assert np.isfinite(gradient).all()
    value, gradient = energy_hinge_slopes(logits, inside, outside, MARGINS)
    assert_allclose(value, oracles.energy_hinge(logits, inside, outside, *MARGINS), rtol=1e-5)
    assert np.isfinite(gradient).all()
