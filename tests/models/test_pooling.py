"""Pooling against numpy, and PyTorch's rules by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from uaps_jax.models import pooling


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def max_pool_oracle(x):
    """Maximum of each 3x3 window around every second pixel, from (0, 0)."""
    batch, height, width, channels = x.shape
    y = np.empty((batch, height // 2, width // 2, channels), x.dtype)
    for row in range(height // 2):
        for column in range(width // 2):
            rows = slice(max(0, 2 * row - 1), 2 * row + 2)
            columns = slice(max(0, 2 * column - 1), 2 * column + 2)
            y[:, row, column] = x[:, rows, columns].max((1, 2))
    return y


@pytest.mark.parametrize(("height", "width"), [(2, 2), (4, 6), (8, 4)])
def test_max_pool_3x3_equals_the_oracle(height, width):
    x = random(2, height, width, 3) - 5  # padding is not a zero
    assert_array_equal(pooling.max_pool_3x3(x), max_pool_oracle(x))


def test_of_equal_values_the_first_of_a_3x3_window_takes_the_gradient():
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1].set(-1.0)
    gradient = jax.grad(lambda x: pooling.max_pool_3x3(x).sum())(x)[0, :, :, 0]
    # Windows start, inside the image, at (0, 0), (0, 1), (1, 0) and, whose first is -1, (1, 1).
    assert_array_equal(gradient, [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize(("height", "width"), [(7, 7), (4, 9), (1, 2)])
def test_adaptive_means_cover_the_regions_of_pytorch(height, width, bins):
    x = random(2, height, width, 3)
    expected = np.empty((2, bins, bins, 3), np.float32)
    for i in range(bins):
        for j in range(bins):
            rows = slice(i * height // bins, -(-(i + 1) * height // bins))
            columns = slice(j * width // bins, -(-(j + 1) * width // bins))
            expected[:, i, j] = x[:, rows, columns].mean((1, 2))
    assert_allclose(pooling.adaptive_mean(x, bins), expected, rtol=1e-5, atol=1e-6)


def test_the_global_mean_is_the_adaptive_mean_of_one_bin():
    x = random(2, 5, 4, 3)
    assert_allclose(pooling.global_mean(x), pooling.adaptive_mean(x, 1), rtol=1e-5, atol=1e-6)
