"""The divergence of every decoder from the mean prediction."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from tests.compare import relative_difference
from uaps_jax.losses import uncertainty

kl_to_mean = jax.jit(uncertainty.kl_to_mean, static_argnames="detach_mean")


@functools.partial(jax.jit, static_argnums=1)
def mean_and_gradient(logits, detach_mean=False):
    return jax.value_and_grad(lambda x: kl_to_mean(x, detach_mean=detach_mean).mean())(logits)


def stack(decoders=4, classes=4, scale=3.0, seed=0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(decoders, 2, 5, 4, classes))).astype(np.float32)


@pytest.mark.parametrize("decoders", [2, 4, 5])
@pytest.mark.parametrize("classes", [2, 7])
def test_divergences_equal_the_oracle(decoders, classes):
    logits = stack(decoders, classes)
    result = kl_to_mean(logits)
    assert result.shape == (decoders, 2, 5, 4)
    assert relative_difference(result, oracles.kl_to_mean(logits)) <= 1e-5


def test_two_sure_and_opposite_heads_by_hand():
    # p_bar = (1/2, 1/2); D = ln(1/2) - (ln p + ln (1 - p)) / 2, for p = 3/4: ln 2/sqrt(3).
    logits = np.log(np.array([[3.0, 1.0], [1.0, 3.0]])).astype(np.float32)
    result = kl_to_mean(logits.reshape(2, 1, 1, 1, 2))
    assert_allclose(result.ravel(), np.log(2 / np.sqrt(3)), rtol=1e-5)


def test_the_mean_is_the_target_not_the_head():
    logits = np.array([[0.0, 0.0], [0.0, 4.0]], np.float32).reshape(2, 1, 1, 1, 2)
    p = oracles.softmax(logits)
    mean = p.mean(0)
    expected = (mean * np.log(mean / p)).sum(-1)
    backwards = (p * np.log(p / mean)).sum(-1)
    assert np.abs(expected - backwards).min() > 0.01
    assert_allclose(kl_to_mean(logits), expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_divergences_are_not_negative(scale):
    result = np.asarray(kl_to_mean(stack(scale=scale)))
    assert result.min() >= -1e-6
    assert result.max() > 0


def test_mean_divergence_is_zero_exactly_where_the_heads_agree():
    logits = stack()
    logits[:, 0] = logits[0, 0] + np.arange(4)[:, None, None, None]  # shifts change no softmax
    result = np.asarray(kl_to_mean(logits)).mean(0)
    assert_allclose(result[0], 0, atol=1e-6)
    assert result[1].min() > 1e-3


@pytest.mark.parametrize("detach_mean", [False, True])
def test_extreme_logits_have_finite_divergences_and_gradients(detach_mean):
    sign = np.where(np.random.default_rng(0).uniform(size=(4, 2, 3, 3, 4)) < 0.5, -1, 1)
    logits = (1e4 * sign).astype(np.float32)
    result = kl_to_mean(logits, detach_mean=detach_mean)
    assert_allclose(result, oracles.kl_to_mean(logits), rtol=1e-5, atol=1e-3)
    assert result.max() > 1e3

    @jax.jit
    @jax.grad
    def gradient(logits):
        divergence = kl_to_mean(logits, detach_mean=detach_mean)
        return divergence.mean() + jnp.exp(-divergence).mean()

    assert np.isfinite(gradient(logits)).all()


def test_gradient_equals_central_differences_of_the_oracle():
    logits = stack()
    gradient = mean_and_gradient(logits)[1].reshape(-1)
    indices = np.random.default_rng(1).permutation(logits.size)[:60]
    expected = oracles.numeric_gradient(lambda x: oracles.kl_to_mean(x).mean(), logits, indices)
    assert relative_difference(gradient[indices], expected) <= 1e-4


def test_detaching_the_mean_keeps_the_value_and_changes_the_gradient():
    logits = stack()
    free, fixed = (mean_and_gradient(logits, detach) for detach in (False, True))
    assert_array_equal(free[0], fixed[0])
    assert relative_difference(fixed[1], free[1]) > 0.01

    # With the target held, the gradient of D_k is p_k - p_bar, over the number of pixels.
    p = oracles.softmax(logits)
    expected = (p - p.mean(0)) / p[..., 0].size
    assert relative_difference(fixed[1], expected) <= 1e-5
