"""Descriptors of images without a network."""

import numpy as np
from numpy.testing import assert_allclose

from uaps_jax.acquisition import texture


def stripes(vertical, side=16):
    line = np.where(np.arange(side) // 4 % 2, 200, 50)
    image = np.tile(line, (side, 1)) if vertical else np.tile(line[:, None], (1, side))
    return np.repeat(image[None, ..., None], 3, -1).astype(np.uint8)


def test_edges_are_told_apart_by_their_direction():
    found = texture.texture(np.concatenate([stripes(True), stripes(False)]))
    assert found.shape == (2, 30)
    vertical, horizontal = found[:, 2:10]
    assert vertical[0] > 0
    assert vertical[1:].max() == 0
    assert horizontal[4] > 0
    assert np.delete(horizontal, 4).max() == 0
    # Means over whole stripes of a scale: brightness and contrast are those of the pixels.
    assert_allclose(found[:, 0], 125 / 255)
    assert_allclose(found[:, 1], 75 / 255)


def test_opposite_edges_are_the_same_and_larger_scales_see_blocks():
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (1, 32, 32, 1)).astype(np.uint8)
    found, turned = (texture.texture(x)[0] for x in (image, image[:, ::-1, ::-1]))
    assert_allclose(found, turned, atol=1e-12)
    blocks = image.astype(float).reshape(1, 8, 4, 8, 4, 1).mean((2, 4))
    assert_allclose(found[20:], texture.texture(blocks)[0, :10], atol=1e-12)


def test_columns_are_standardized_and_constant_ones_are_zero():
    features = np.array([[1.0, 5.0, 1e9], [3.0, 5.0, 1e9], [5.0, 5.0, 1e9]])
    found = texture.standardized(features)
    assert_allclose(found[:, 0], np.array([-1, 0, 1]) * np.sqrt(1.5))
    assert not found[:, 1:].any()
