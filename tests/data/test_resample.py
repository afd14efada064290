"""Resampling: exact means over areas, and shares that add up to one."""

import numpy as np
import pytest

from uaps_jax.data import resample


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_whole_factors_are_means_of_blocks_with_halves_up():
    pixels = picture(12, 20)
    means = pixels.reshape(3, 4, 5, 4, 3).mean((1, 3), dtype=np.float64)
    expected = np.floor(means + 0.5)
    np.testing.assert_array_equal(resample.area_means(pixels, 3, 5), expected)
    assert (means % 1 == 0.5).any()


@pytest.mark.parametrize("size", [(7, 9), (5, 31), (40, 13)])
def test_other_factors_are_means_of_a_finer_image(size):
    """Every pixel divided into equal parts, as many of which are a new pixel."""
    pixels = picture(37, 29)
    fine = pixels.repeat(size[0], 0).repeat(size[1], 1).astype(np.float64)
    means = fine.reshape(size[0], 37, size[1], 29, 3).mean((1, 3))
    actual = resample.area_means(pixels, *size)
    assert np.abs(actual - means).max() < 0.502
    assert (np.abs(actual - means) < 0.5).mean() > 0.99


@pytest.mark.parametrize(("start", "step"), [(0, 1.7), (3.4, 2.5), (-4.0, 0.6), (28.2, 1.0)])
def test_shares_are_those_of_a_fine_grid(start, step):
    """Every interval in 1000 parts, each of the element that it lies in."""
    weights = resample.area_weights(30, 6, start, step).toarray()
    parts = start + step * (np.arange(6)[:, None] + (np.arange(1000) + 0.5) / 1000)
    elements = np.floor(parts).clip(0, 29).astype(int)
    expected = np.stack([np.bincount(row, minlength=30) / 1000 for row in elements])
    np.testing.assert_allclose(weights, expected, atol=2.1e-3)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)


def test_a_mask_keeps_the_class_at_the_centres():
    line = np.arange(10, dtype=np.uint8)[None].repeat(4, 0)
    np.testing.assert_array_equal(resample.nearest_centres(line, 2, 5), [[1, 3, 5, 7, 9]] * 2)
    np.testing.assert_array_equal(resample.nearest(line, 1, 5), [[0, 2, 4, 6, 8]])


@pytest.mark.parametrize(
    ("length", "scale", "expected"),
    [(2000, 0.5, 1000), (1001, 0.5, 501), (7, 1 / 3, 3), (10, 0.3, 3), (5, 1.0, 5), (1, 0.01, 1)],
)
def test_lengths_are_rounded_up(length, scale, expected):
    assert resample.scaled_length(length, scale) == expected
