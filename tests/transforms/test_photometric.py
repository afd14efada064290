"""Brightness and contrast, blur and noise of one image."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import method_oracles, oracles
from uaps_jax.transforms import photometric

RELEASED = {"contrast": (0.0, 0.5), "brightness": (0.0, 0.5)}


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def random_image(height=6, width=5, channels=3, seed=0):
    image = np.random.default_rng(seed).uniform(0, 255, size=(height, width, channels))
    return image.astype(np.float32)


def over_keys(change, **settings):
    """`(keys, image) -> images`, one change per key."""
    change = functools.partial(change, **settings)
    return jax.jit(lambda keys, image: jax.vmap(lambda key: change(key, image))(keys))


def changes_of_light(image, count=200, **settings):
    chosen = RELEASED | {"probability": 1.0} | settings
    return np.asarray(
        over_keys(photometric.random_brightness_contrast, **chosen)(keys(count), image)
    )


def with_two_dark_pixels():
    """Its first two pixels never saturate in the released ranges: a and b follow from them."""
    image = random_image()
    image[0, 0], image[0, 1] = 10, 60
    return image


def recovered(images):
    low, high = images[:, 0, 0, 0], images[:, 0, 1, 0]
    a = (high - low) / 50 - 1
    return a, (low - (1 + a) * 10) / 255


def test_brightness_contrast_equals_the_oracle_with_the_recovered_draws():
    image = with_two_dark_pixels()
    images = changes_of_light(image)
    for result, a, b in zip(images, *recovered(images), strict=True):
        assert_allclose(result, oracles.brightness_contrast(image, 1 + a, b), rtol=1e-4, atol=1e-2)
    assert images.max() == 255  # some saturate


def test_brightness_and_contrast_fill_their_ranges_independently():
    a, b = recovered(changes_of_light(with_two_dark_pixels(), count=500))
    for draw in (a, b):
        assert draw.min() >= -1e-4
        assert draw.max() <= 0.5 + 1e-4
        assert draw.min() < 0.02
        assert draw.max() > 0.48
        assert draw.mean() == pytest.approx(0.25, abs=0.035)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.2


def test_ranges_may_differ_and_be_negative():
    image = with_two_dark_pixels() + 40
    images = changes_of_light(image, contrast=(-0.2, -0.2), brightness=(0.1, 0.1))
    expected = oracles.brightness_contrast(image, 0.8, 0.1)
    assert_allclose(images, np.broadcast_to(expected, images.shape), rtol=1e-5)


def test_released_limits_only_ever_brighten():
    image = random_image()
    images = changes_of_light(image)
    assert (images >= image - 1e-3).all()
    assert images.max() <= 255
    assert (images.mean((1, 2, 3)) > image.mean()).all()


def test_darker_images_are_clipped_at_zero():
    images = changes_of_light(random_image(), brightness=(-0.9, -0.5))
    assert images.min() == 0


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_light_changes_with_the_stated_probability(probability):
    image = random_image(2, 2)
    images = changes_of_light(image, count=2000, probability=probability)
    changed = (images != image).any((1, 2, 3)).mean()
    assert changed == pytest.approx(probability, abs=0.05 * (probability > 0))


@pytest.mark.parametrize("reach", range(4))
@pytest.mark.parametrize("size", [(7, 5), (6, 8), (4, 4), (2, 3)])
def test_box_blur_equals_the_oracle(size, reach):
    image = random_image(*size)
    result = jax.jit(photometric.box_blur)(image, jnp.int32(reach))
    assert result.shape == image.shape
    assert_allclose(result, oracles.box_blur(image, 2 * reach + 1), rtol=1e-5)


def test_box_blur_of_reach_0_changes_nothing():
    image = random_image()
    assert_array_equal(jax.jit(photometric.box_blur)(image, jnp.int32(0)), image)


def test_random_blur_draws_its_side_from_3_5_7_evenly():
    # A single bright pixel in the middle of a black image: the box is what it is spread over.
    image = np.zeros((9, 9, 1), np.float32)
    image[4, 4] = 255
    images = over_keys(photometric.random_blur, probability=1.0)(keys(900), image)
    lit = np.asarray(images) > 1e-3
    sides = lit.any((2, 3)).sum(1)
    assert_array_equal(sides, lit.any((1, 3)).sum(1))
    result, counts = np.unique(sides, return_counts=True)
    assert_array_equal(result, [3, 5, 7])
    assert_allclose(counts / 900, 1 / 3, atol=0.07)


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_random_blur_blurs_with_the_stated_probability(probability):
    image = random_image(4, 4, 1)
    images = over_keys(photometric.random_blur, probability=probability)(keys(2000), image)
    blurred = (np.abs(np.asarray(images) - image) > 1).any((1, 2, 3)).mean()
    assert blurred == pytest.approx(probability, abs=0.05 * (probability > 0))


def noise_of(image, count, **settings):
    chosen = {"probability": 1.0, "variance": (10.0, 50.0)} | settings
    return np.asarray(over_keys(photometric.random_noise, **chosen)(keys(count), image))


def test_noise_has_mean_zero_and_a_variance_uniform_from_10_to_50():
    image = np.full((48, 48, 3), 128, np.float32)
    noise = noise_of(image, 150) - image
    # Each of 6912 values an image: a variance is known to 1.7 %.
    variance = noise.var((1, 2, 3))
    assert variance.min() > 10 * 0.92
    assert variance.max() < 50 * 1.08
    assert variance.min() < 13
    assert variance.max() > 47
    assert variance.mean() == pytest.approx(30, abs=4)
    assert noise.mean() == pytest.approx(0, abs=0.05)


def test_noise_is_drawn_for_every_pixel_and_channel():
    image = np.full((32, 32, 3), 128, np.float32)
    noise = noise_of(image, 1)[0] - image
    for first, second in ((0, 1), (0, 2), (1, 2)):
        correlation = np.corrcoef(noise[..., first].ravel(), noise[..., second].ravel())[0, 1]
        assert abs(correlation) < 0.15
    assert len(np.unique(noise)) > 0.9 * noise.size
    assert np.abs(noise).max() > 2 * noise.std()  # a Gaussian's tail


def test_a_fixed_variance_is_met():
    image = np.full((64, 64, 3), 128, np.float32)
    noise = noise_of(image, 1, variance=(25.0, 25.0)) - image
    assert noise.var() == pytest.approx(25, rel=0.06)


def test_noisy_images_stay_between_0_and_255():
    image = np.zeros((32, 32, 2), np.float32)
    image[..., 1] = 255
    result = noise_of(image, 3)
    assert result.min() == 0
    assert result.max() == 255
    assert (result[..., 0] > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (result[..., 1] < 255).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_noise_comes_with_the_stated_probability(probability):
    image = random_image(2, 2)
    changed = (noise_of(image, 2000, probability=probability) != image).any((1, 2, 3)).mean()
    assert changed == pytest.approx(probability, abs=0.05 * (probability > 0))


# Colour jitter and black pixels


def test_jitter_equals_the_oracle():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (6, 5, 3)).astype(np.float32)
    image[0, :, :] = 77  # grey: no hue
    for _ in range(8):
        brightness, contrast, saturation = rng.uniform(0.6, 1.4, 3)
        hue = rng.uniform(-0.5, 0.5)
        ours = jax.jit(photometric.jitter)(image, brightness, contrast, saturation, hue)
        expected = method_oracles.color_jitter(image, brightness, contrast, saturation, hue)
        np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_jitter_of_a_grey_image_is_that_of_its_three_equal_channels():
    grey = np.random.default_rng(1).uniform(0, 255, (5, 4, 1)).astype(np.float32)
    rgb = np.repeat(grey, 3, axis=-1)
    one, three = (photometric.jitter(x, 1.1, 0.9, 1.2, 0.1) for x in (grey, rgb))
    np.testing.assert_allclose(np.repeat(one, 3, axis=-1), three, atol=1e-3)


def test_random_jitter_keeps_its_limits_and_probability():
    image = np.full((2, 2, 3), 100.0, np.float32)
    run = jax.vmap(
        lambda k: photometric.random_jitter(
            k, image, probability=0.3, limits=(0.2, 0.0, 0.0, 0.0), random_order=False
        )
    )
    result = np.asarray(run(jax.random.split(jax.random.key(0), 600)))[:, 0, 0, 0]
    assert result.min() >= 79.9
    assert result.max() <= 120.1
    assert result.max() - result.min() > 35
    assert 0.24 < (np.abs(result - 100) > 1e-3).mean() < 0.36


def test_black_pixels_are_black_in_all_channels_at_their_rate():
    image = np.full((50, 50, 3), 9.0, np.float32)
    run = jax.vmap(lambda k: photometric.random_pixel_dropout(k, image, probability=0.5, rate=0.1))
    result = np.asarray(run(jax.random.split(jax.random.key(0), 200)))
    assert set(np.unique(result)) == {0.0, 9.0}
    assert (result.min(-1) == result.max(-1)).all()
    black = (result[..., 0] == 0).mean((1, 2))
    assert 0.4 < (black > 0).mean() < 0.6
    assert abs(black[black > 0].mean() - 0.1) < 0.01


def test_a_normalised_image_wraps_around_as_in_torchvision():
    """The values on the right are those of PyTorch's `mul(255).byte()`."""
    image = np.array([-2.1179, -1.5, -0.003, 0.5, 0.9999, 1.0, 1.003, 2.64], np.float32)
    assert_array_equal(photometric.wrapped(image), [228, 130, 0, 127, 254, 255, 255, 161])
    rng = np.random.default_rng(0)
    image = rng.uniform(-2.2, 2.7, (8, 8, 3)).astype(np.float32)
    expected = (np.float32(255) * image).astype(np.int32).astype(np.uint8)
    assert_array_equal(photometric.wrapped(image), expected)
