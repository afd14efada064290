"""The perturbations of features: what they draw, and for which images."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from uaps_jax.models import perturb

KEY = jax.random.key(0)
SHAPE = (6, 5, 4, 3)


def features(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def drawn_noise(key, parts, limit=0.3, shape=SHAPE):
    ones = np.ones(shape, np.float32)
    return np.asarray(perturb.feature_noise(key, ones, limit=limit, parts=parts)) - 1


def test_feature_noise_fills_its_range_evenly():
    noise = drawn_noise(KEY, 1, shape=(1, 32, 32, 4))
    assert np.abs(noise).max() <= 0.3 + 1e-6
    assert noise.max() > 0.29
    assert noise.min() < -0.29
    assert abs(noise.mean()) < 0.02
    assert noise.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_feature_noise_is_shared_in_a_part_and_differs_between_parts(parts):
    noise = drawn_noise(KEY, parts)
    for g in range(parts):
        for image in noise[g::parts]:
            assert_array_equal(image, noise[g])
        for other in range(g):
            assert np.abs(noise[g] - noise[other]).mean() > 0.05
    # Neither pixels nor channels share a draw.
    assert len(np.unique(noise[0])) > 0.9 * noise[0].size


def test_feature_noise_multiplies_by_one_plus_noise():
    z = features()
    noise = drawn_noise(KEY, 2)
    actual = perturb.feature_noise(KEY, z, limit=0.3, parts=2)
    for g in range(2):
        assert_allclose(actual[g::2], oracles.feature_noise(z[g::2], noise[g]), rtol=1e-5)


def test_dropout_keeps_the_stated_share_and_rescales_it():
    z = features(shape=(4, 32, 32, 4)) + 10  # no zeros of its own
    for rate in (0.2, 0.5):
        actual = np.asarray(perturb.dropout(KEY, z, rate=rate))
        kept = actual != 0
        # 16,384 elements: five standard deviations are 0.02.
        assert kept.mean() == pytest.approx(1 - rate, abs=0.02)
        assert_allclose(actual, oracles.dropout(z, kept, rate), rtol=1e-6)


def test_dropout_decides_for_every_element_by_itself():
    z = np.ones((4, 16, 16, 4), np.float32)
    kept = np.asarray(perturb.dropout(KEY, z, rate=0.5)) != 0
    for axis in range(4):
        share = kept.mean(axis)
        assert ((share > 0) & (share < 1)).mean() > 0.5


def test_dropout_of_rate_zero_changes_nothing():
    z = features()
    assert_array_equal(perturb.dropout(KEY, z, rate=0), z)


@pytest.mark.parametrize("u", [0.3, 0.7, 0.9])
def test_feature_dropout_equals_the_oracle_at_a_known_threshold(u):
    z = features() + 1
    actual = perturb.feature_dropout(KEY, z, low=u, high=u, parts=2)
    expected = oracles.feature_dropout(z, u)
    assert 0 < (expected == 0).mean() < 1
    assert_allclose(actual, expected, rtol=1e-6)


def graded(peaks, pixels=400):
    """Images of one row whose activity rises evenly from 0 to each peak."""
    ramp = np.arange(1, pixels + 1) / pixels
    return (np.asarray(peaks)[:, None] * ramp).astype(np.float32)[:, None, :, None]


def recovered(key, parts, peaks=(1.0, 3.0, 0.2, 7.0)):
    """Each image's fraction of kept pixels, which is u to 1 / 400 where activity is even."""
    actual = perturb.feature_dropout(key, graded(peaks), low=0.7, high=0.9, parts=parts)
    return (np.asarray(actual) != 0).mean((1, 2, 3))


def test_feature_dropout_draws_one_threshold_a_part_relative_to_each_image():
    seen = []
    for key in jax.random.split(KEY, 20):
        u = recovered(key, parts=2)
        assert_allclose(u[0::2], u[0], atol=1 / 400)
        assert_allclose(u[1::2], u[1], atol=1 / 400)
        seen.extend(u[:2])
    seen = np.array(seen)
    assert seen.min() >= 0.7 - 1 / 400
    assert seen.max() <= 0.9 + 1 / 400
    assert seen.min() < 0.73
    assert seen.max() > 0.87
    assert (np.abs(seen[0::2] - seen[1::2]) > 1 / 100).mean() > 0.5


def test_feature_dropout_with_a_random_threshold_equals_the_oracle_at_the_recovered_one():
    scale = np.linspace(0.5, 1.5, 3, dtype=np.float32)
    z = graded((1.0, 3.0)) * scale / scale.mean()
    actual = np.asarray(perturb.feature_dropout(KEY, z, low=0.7, high=0.9, parts=1))
    # Half a step above the last pixel that was kept.
    u = (actual[0, 0, :, 0] != 0).mean() + 0.5 / 400
    assert_allclose(actual, oracles.feature_dropout(z, u), rtol=1e-6)


def test_feature_dropout_drops_the_peak_of_every_image_with_a_positive_peak():
    z = features() + 1
    actual = np.asarray(perturb.feature_dropout(KEY, z, low=0.7, high=0.9, parts=1))
    for image, result in zip(z, actual, strict=True):
        peak = np.unravel_index(image.mean(-1).argmax(), image.shape[:2])
        assert_array_equal(result[peak], np.zeros(3))


def test_feature_dropout_drops_pixels_that_reach_the_threshold_exactly():
    z = np.ones((1, 2, 2, 2), np.float32)
    z[0, 0, 0] = (1, -1)  # of activity 0
    kept = np.asarray(perturb.feature_dropout(KEY, z, low=1.0, high=1.0, parts=1)) != 0
    assert_array_equal(kept[0, :, :, 0], [[True, False], [False, False]])
    # A peak of 0 is a threshold of 0, whatever u is.
    flat = np.broadcast_to(z[:, :1, :1], z.shape)
    assert_array_equal(perturb.feature_dropout(KEY, flat, low=0.7, high=0.9, parts=1), 0)


def test_feature_dropout_drops_nothing_where_the_peak_is_negative():
    z = -1 - np.abs(features())
    z[1] += 100  # this image's peak is positive
    actual = np.asarray(perturb.feature_dropout(KEY, z, low=0.7, high=0.9, parts=1))
    assert_array_equal(actual[[0, *range(2, 6)]], z[[0, *range(2, 6)]])
    assert (actual[1] == 0).any()


def test_feature_dropout_gradient_is_the_mask():
    z = features() + 1
    drop = functools.partial(perturb.feature_dropout, KEY, low=0.7, high=0.9, parts=2)
    kept = np.asarray(drop(z)) != 0
    gradient = jax.grad(lambda z: drop(z).sum())(z)
    assert 0 < kept.mean() < 1
    assert_array_equal(gradient, kept.astype(np.float32))


KINDS = {
    "feature_noise": functools.partial(perturb.feature_noise, limit=0.3, parts=2),
    "dropout": functools.partial(perturb.dropout, rate=0.5),
    "feature_dropout": functools.partial(perturb.feature_dropout, low=0.2, high=0.9, parts=2),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_draws_depend_on_the_key_alone(kind):
    z = features(shape=(4, 16, 16, 3)) + 1
    first = kind(KEY, z)
    assert_array_equal(first, kind(jax.random.key(0), z))
    assert np.abs(first - kind(jax.random.key(1), z)).max() > 0


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_shape_and_type_are_kept(kind):
    z = jnp.asarray(features(), jnp.bfloat16)
    actual = kind(KEY, z)
    assert actual.shape == z.shape
    assert actual.dtype == jnp.bfloat16
