"""Jitter in any order, grayscale and Gaussian blur, and images of one channel."""

import functools
import itertools

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from tests import method_oracles
from uaps_jax.transforms import photometric


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def random_image(height=6, width=5, channels=3, seed=0):
    image = np.random.default_rng(seed).uniform(0, 255, size=(height, width, channels))
    return image.astype(np.float32)


def over_keys(change, image, count=600, seed=0, **settings):
    change = functools.partial(change, **settings)
    return np.asarray(jax.jit(jax.vmap(lambda key: change(key, image)))(keys(count, seed)))


def test_jitter_in_any_order_equals_the_oracle():
    image = random_image()
    factors = 1.4, 0.6, 1.7, -0.2  # brightness clips, so that the order shows
    neutral = 1.0, 1.0, 1.0, 0.0
    jitter = jax.jit(photometric.jitter)
    results = []
    for order in itertools.permutations(range(4)):
        expected = image
        for one in order:
            single = [factors[i] if i == one else neutral[i] for i in range(4)]
            expected = method_oracles.color_jitter(expected, *single)
        result = jitter(image, *factors, np.array(order))
        assert_allclose(result, expected, atol=5e-3)
        results.append(np.asarray(result))
    in_order = jax.jit(photometric.jitter)(image, *factors)
    assert_allclose(in_order, results[0], atol=1e-3)
    assert np.abs(results[0] - results[6]).max() > 1


def test_the_order_of_jitter_is_drawn_for_each_image():
    # Of brightness and contrast alone: in the other order, white that saturates is another white.
    image = np.repeat(np.array([[[255.0], [0.0]]], np.float32), 3, -1)
    settings = {"probability": 1.0, "limits": (0.5, 0.5, 0.0, 0.0)}
    fixed = over_keys(photometric.random_jitter, image, random_order=False, **settings)
    drawn = over_keys(photometric.random_jitter, image, random_order=True, **settings)
    other = (np.abs(fixed - drawn) > 1e-2).any((1, 2, 3)).mean()
    assert 0.15 < other < 0.45  # half of the orders, and of these the images that saturate


@pytest.mark.parametrize("limit", [0.4, 1.5])
def test_factors_of_jitter_are_torchvisions(limit):
    # Uniform in max(0, 1 - limit) .. 1 + limit.
    image = np.full((1, 1, 3), 80.0, np.float32)
    limits = (limit, 0.0, 0.0, 0.0)
    result = over_keys(
        photometric.random_jitter, image, probability=1.0, limits=limits, random_order=True
    )
    factors = result[:, 0, 0, 0] / 80
    low, high = max(0, 1 - limit), 1 + limit
    assert low - 1e-4 <= factors.min() < low + 0.02
    assert high - 0.02 < factors.max() <= high + 1e-4
    assert factors.mean() == pytest.approx((low + high) / 2, abs=0.09)


def test_grayscale_is_the_luma_in_all_channels_with_its_probability():
    image = random_image()
    result = over_keys(photometric.random_grayscale, image, probability=0.3)
    luma = image @ np.array([0.299, 0.587, 0.114], np.float32)
    grey = (np.abs(result - luma[..., None]) < 1e-3).all((1, 2, 3))
    same = (result == image).all((1, 2, 3))
    assert (grey | same).all()
    assert grey.mean() == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("size", [(9, 7), (20, 16)])
@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.0])
def test_gaussian_blur_equals_scipys(sigma, size):
    image = random_image(*size)
    result = jax.jit(photometric.gaussian_blur, static_argnums=2)(image, sigma, 6)
    wide = image.astype(np.float64)
    expected = ndimage.gaussian_filter(wide, sigma, mode="mirror", radius=6, axes=(0, 1))
    assert_allclose(result, expected, rtol=1e-5, atol=1e-3)


def test_the_sigma_of_a_random_blur_is_uniform_in_its_range():
    # Of a single bright pixel, the variance of what is left along a row is sigma^2.
    image = np.zeros((31, 31, 1), np.float32)
    image[15, 15] = 255
    result = over_keys(photometric.random_gaussian_blur, image, probability=1.0, sigma=(0.5, 2.0))
    rows = result[..., 0].sum(1) / 255
    assert_allclose(rows.sum(1), 1, rtol=1e-4)
    sigma = np.sqrt((rows * np.square(np.arange(31) - 15)).sum(1))
    assert 0.45 < sigma.min() < 0.55
    assert 1.93 < sigma.max() < 2.01
    assert sigma.mean() == pytest.approx(1.25, abs=0.06)


def test_random_gaussian_blur_keeps_its_probability():
    image = random_image(4, 4, 1)
    result = over_keys(photometric.random_gaussian_blur, image, probability=0.4, sigma=(0.5, 1.0))
    changed = (result != image).any((1, 2, 3)).mean()
    assert changed == pytest.approx(0.4, abs=0.06)


CHANGES = {
    "jitter": functools.partial(
        photometric.random_jitter,
        probability=1.0,
        limits=(0.5, 0.5, 0.5, 0.25),
        random_order=True,
    ),
    "grayscale": functools.partial(photometric.random_grayscale, probability=1.0),
    "gaussian blur": functools.partial(
        photometric.random_gaussian_blur, probability=1.0, sigma=(0.1, 2.0)
    ),
    "blur": functools.partial(photometric.random_blur, probability=1.0),
    "brightness and contrast": functools.partial(
        photometric.random_brightness_contrast,
        probability=1.0,
        contrast=(-0.5, 0.5),
        brightness=(-0.5, 0.5),
    ),
    "pixel dropout": functools.partial(photometric.random_pixel_dropout, probability=1.0, rate=0.3),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_one_channel_is_changed_as_three_equal_ones(change):
    grey = random_image(channels=1)
    one = over_keys(change, grey, count=12)
    three = over_keys(change, np.repeat(grey, 3, -1), count=12)
    assert one.shape == (12, *grey.shape)
    assert_allclose(np.repeat(one, 3, -1), three, atol=2e-3)


def test_grayscale_of_one_channel_is_the_image():
    grey = random_image(channels=1)
    result = over_keys(photometric.random_grayscale, grey, count=4, probability=1.0)
    assert_array_equal(result, np.broadcast_to(grey, result.shape))
