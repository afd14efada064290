"""Bilinear resizing with aligned corners against its definition."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from uaps_jax.models import resize


def oracle(x, height, width):
    """Every output by its position in the input, one at a time."""
    y = np.empty((x.shape[0], height, width, x.shape[3]))
    for row in range(height):
        for column in range(width):
            top, left = (
                index * (size - 1) / max(count - 1, 1)
                for index, size, count in (
                    (row, x.shape[1], height),
                    (column, x.shape[2], width),
                )
            )
            i, j = int(top), int(left)
            below, right = min(i + 1, x.shape[1] - 1), min(j + 1, x.shape[2] - 1)
            a, b = top - i, left - j
            y[:, row, column] = (1 - a) * ((1 - b) * x[:, i, j] + b * x[:, i, right]) + a * (
                (1 - b) * x[:, below, j] + b * x[:, below, right]
            )
    return y


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 1), (1, 6)])
@pytest.mark.parametrize("target", [(8, 8), (16, 20), (3, 4), (1, 1)])
def test_resize_equals_the_oracle(shape, target):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    assert_allclose(resize.resize(x, *target), oracle(x, *target), rtol=1e-5, atol=1e-6)


def test_twice_the_size_is_the_upsampling_of_the_unet():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    assert_allclose(resize.resize(x, 8, 12), resize.upsample(x), rtol=1e-5, atol=1e-6)


def test_bfloat16_is_rounded_once():
    x = jnp.full((1, 3, 3, 1), 3.0, jnp.bfloat16)
    y = resize.resize(x, 7, 7)
    assert y.dtype == jnp.bfloat16
    assert_array_equal(y, jnp.full((1, 7, 7, 1), 3.0, jnp.bfloat16))
