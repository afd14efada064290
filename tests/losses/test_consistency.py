"""Mixing weights and mixed pseudo-labels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from uaps_jax.losses import consistency

DRAWS = 4000

mixed_pseudo_label = jax.jit(consistency.mixed_pseudo_label)


@functools.partial(jax.jit, static_argnums=1)
def draws(seed, decoders):
    keys = jax.random.split(jax.random.key(seed), DRAWS)
    return jax.vmap(lambda key: consistency.dirichlet_weights(key, decoders))(keys)


def stack(decoders=4, classes=4, scale=3.0, seed=0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(decoders, 2, 5, 4, classes))).astype(np.float32)


@pytest.mark.parametrize("decoders", [2, 4])
def test_dirichlet_weights_lie_on_the_simplex(decoders):
    beta = np.asarray(draws(0, decoders))
    assert beta.shape == (DRAWS, decoders)
    assert beta.min() >= 0
    assert_allclose(beta.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("decoders", [2, 4])
def test_dirichlet_weights_are_uniform_on_the_simplex(decoders):
    beta = np.asarray(draws(1, decoders))
    # Of Dirichlet(1, ..., 1): mean 1 / K, variance (K - 1) / (K^2 (K + 1)).
    variance = (decoders - 1) / (decoders**2 * (decoders + 1))
    assert_allclose(beta.mean(0), 1 / decoders, atol=5 * np.sqrt(variance / DRAWS))
    assert_allclose(beta.var(0), variance, rtol=0.15)
    # P(beta_k > 1/2) = 2^-(K - 1).
    assert_allclose((beta > 0.5).mean(0), 0.5 ** (decoders - 1), atol=0.04)


def test_dirichlet_weights_follow_the_key():
    beta = np.asarray(draws(3, 4))
    assert_array_equal(beta, draws(3, 4))
    assert (np.abs(beta - draws(4, 4)).max(1) > 1e-3).mean() > 0.99
    assert (np.abs(beta - np.roll(beta, 1, 0)).max(1) > 1e-3).mean() > 0.99


@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.parametrize("beta", [(0.25, 0.25, 0.25, 0.25), (0.7, 0.1, 0.1, 0.1), (0, 0, 0, 1)])
def test_mixed_pseudo_label_equals_the_oracle(classes, beta):
    logits = stack(classes=classes)
    result = mixed_pseudo_label(logits, jnp.array(beta, jnp.float32))
    assert result.dtype == jnp.int32
    assert_array_equal(result, oracles.pseudo_label(logits, beta))


def test_all_weight_on_one_head_gives_its_labels():
    logits = stack()
    for k in range(4):
        beta = np.eye(4, dtype=np.float32)[k]
        assert_array_equal(mixed_pseudo_label(logits, beta), logits[k].argmax(-1))


def test_probabilities_are_mixed_not_logits():
    # Head 0 is sure of class 0 by a large logit; two heads moderately say class 1.
    logits = np.array([[50.0, 0.0], [0.0, 3.0], [0.0, 3.0]], np.float32).reshape(3, 1, 1, 1, 2)
    third = jnp.full(3, 1 / 3)
    assert logits.mean(0).argmax(-1).item() == 0
    assert mixed_pseudo_label(logits, third).item() == 1


def test_pseudo_labels_carry_no_gradient():
    logits = stack()

    def loss(logits):
        label = mixed_pseudo_label(logits, jnp.full(4, 0.25))
        return label.astype(jnp.float32).sum() * logits[0, 0, 0, 0, 0]

    gradient = np.array(jax.grad(loss)(logits))
    assert gradient[0, 0, 0, 0, 0] > 0
    gradient[0, 0, 0, 0, 0] = 0
    assert_array_equal(gradient, 0)
