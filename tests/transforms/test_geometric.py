"""Flips and quarter turns."""

import functools

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests import oracles
from uaps_jax.transforms import geometric


def coordinates(height, width):
    """An image whose channels are row and column, and the mask that numbers the same pixels."""
    row, column = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([row, column], axis=-1), row * width + column


@functools.partial(jax.jit, static_argnames=("horizontal", "vertical"))
def flipped(keys, image, mask, **probabilities):
    return jax.vmap(lambda key: geometric.random_flip(key, image, mask, **probabilities))(keys)


@functools.partial(jax.jit, static_argnames="probability")
def turned(keys, image, mask, probability):
    turn = functools.partial(geometric.random_rot90, probability=probability)
    return jax.vmap(lambda key: turn(key, image, mask))(keys)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


@pytest.mark.parametrize("shape", [(3, 3), (4, 4, 2)])
@pytest.mark.parametrize("turns", range(4))
def test_rot90_equals_numpy(turns, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = jax.jit(geometric.rot90)(x, turns)
    assert_array_equal(found, np.rot90(x, turns))
    assert_array_equal(found, oracles.rot90(x, turns))


@pytest.mark.parametrize(
    ("horizontal", "vertical"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
)
def test_flips_of_probability_0_and_1_are_certain(horizontal, vertical):
    image, mask = coordinates(3, 4)
    images, masks = flipped(keys(20), image, mask, horizontal=horizontal, vertical=vertical)
    for x, found in ((image, images), (mask, masks)):
        expected = oracles.hflip(x) if horizontal else x
        expected = oracles.vflip(expected) if vertical else expected
        assert found.dtype == x.dtype
        for one in found:
            assert_array_equal(one, expected)


def moved_together(images, masks, width):
    """Whether every pixel of a mask carries the number of the image's pixel."""
    row, column = np.moveaxis(np.asarray(images).astype(int), -1, 0)
    return (row * width + column == np.asarray(masks)).all()


def test_image_and_mask_flip_together():
    image, mask = coordinates(3, 4)
    images, masks = flipped(keys(100), image, mask, horizontal=0.5, vertical=0.5)
    assert moved_together(images, masks, 4)
    assert len(np.unique(np.asarray(masks).reshape(100, -1), axis=0)) == 4


def test_image_and_mask_turn_together():
    image, mask = coordinates(4, 4)
    images, masks = turned(keys(100), image, mask, probability=1.0)
    assert moved_together(images, masks, 4)
    assert len(np.unique(np.asarray(masks).reshape(100, -1), axis=0)) == 4


def test_flips_happen_as_often_as_stated_and_independently():
    image, mask = coordinates(2, 2)
    _, masks = flipped(keys(4000), image, mask, horizontal=0.4, vertical=0.7)
    first = np.asarray(masks)[:, 0, 0]
    left_right, up_down = first % 2 == 1, first // 2 == 1
    assert left_right.mean() == pytest.approx(0.4, abs=0.04)
    assert up_down.mean() == pytest.approx(0.7, abs=0.04)
    assert (left_right & up_down).mean() == pytest.approx(0.28, abs=0.04)


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_true_rotations_are_three_quarters_of_the_stated_probability(probability):
    image, mask = coordinates(2, 2)
    _, masks = turned(keys(4000), image, mask, probability=probability)
    first = np.asarray(masks)[:, 0, 0]
    # The top left pixel of rot90 by 0, 1, 2, 3 quarters is pixel 0, 1, 3, 2.
    shares = [(first == pixel).mean() for pixel in (0, 1, 3, 2)]
    expected = [1 - 0.75 * probability, *[0.25 * probability] * 3]
    assert shares == pytest.approx(expected, abs=0.035)


def test_rotation_of_probability_0_never_happens():
    image, mask = coordinates(4, 4)
    images, masks = turned(keys(50), image, mask, probability=0.0)
    assert (np.asarray(images) == image).all()
    assert (np.asarray(masks) == mask).all()
