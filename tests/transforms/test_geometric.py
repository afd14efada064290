"""Flips and quarter turns."""

import functools

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests import method_oracles, oracles
from uaps_jax.transforms import geometric


def coordinates(height, width):
    """An image whose channels are row and column, and the mask that numbers the same pixels."""
    row, column = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([row, column], axis=-1), row * width + column


@functools.partial(jax.jit, static_argnames=("horizontal", "vertical"))
def flipped(keys, image, mask, **probabilities):
    def flip(key):
        moved = geometric.random_flip(key, {"image": image, "mask": mask}, **probabilities)
        return moved["image"], moved["mask"]

    return jax.vmap(flip)(keys)


@functools.partial(jax.jit, static_argnames="probability")
def turned(keys, image, mask, probability):
    def turn(key):
        fields = {"image": image, "mask": mask}
        moved = geometric.random_rot90(key, fields, probability=probability)
        return moved["image"], moved["mask"]

    return jax.vmap(turn)(keys)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


@pytest.mark.parametrize("shape", [(3, 3), (4, 4, 2)])
@pytest.mark.parametrize("turns", range(4))
def test_rot90_equals_numpy(turns, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    result = jax.jit(geometric.rot90)(x, turns)
    assert_array_equal(result, np.rot90(x, turns))
    assert_array_equal(result, oracles.rot90(x, turns))


@pytest.mark.parametrize(
    ("horizontal", "vertical"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
)
def test_flips_of_probability_0_and_1_are_certain(horizontal, vertical):
    image, mask = coordinates(3, 4)
    images, masks = flipped(keys(20), image, mask, horizontal=horizontal, vertical=vertical)
    for x, result in ((image, images), (mask, masks)):
        expected = oracles.hflip(x) if horizontal else x
        expected = oracles.vflip(expected) if vertical else expected
        assert result.dtype == x.dtype
        for one in result:
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


# Grid distortion


@pytest.mark.parametrize("size", [16, 20, 64])
def test_coordinates_of_the_grid_equal_the_oracle(size):
    factors = np.random.default_rng(size).uniform(0.7, 1.3, 6).astype(np.float32)
    ours = jax.jit(geometric.grid_coordinates, static_argnums=0)(size, factors)
    expected = method_oracles.grid_distortion_axis(size, 5, factors)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-4)


def test_reading_between_pixels_equals_the_oracle():
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (12, 9, 3)).astype(np.float32)
    mask = rng.integers(0, 4, (12, 9)).astype(np.uint8)
    rows, columns = (rng.uniform(-8, 25, n).astype(np.float32) for n in (12, 9))
    ours = jax.jit(geometric.remap)(image, rows, columns)
    expected = method_oracles.remap_reflect101(image, rows, columns, False)
    np.testing.assert_allclose(ours, expected, atol=1e-2)
    nearest = jax.jit(geometric.remap_nearest)(mask, rows, columns)
    np.testing.assert_array_equal(
        nearest, method_oracles.remap_reflect101(mask, rows, columns, True)
    )


def test_image_and_mask_are_distorted_alike_and_only_with_their_probability():
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    image = np.repeat(100.0 * mask[..., None], 3, axis=-1).astype(np.float32)

    def run(key, probability):
        fields = {"image": image, "mask": mask}
        moved = geometric.random_grid_distortion(key, fields, probability=probability)
        return moved["image"], moved["mask"]

    keys = jax.random.split(jax.random.key(0), 50)
    moved, moved_mask = jax.vmap(lambda k: run(k, 1.0))(keys)
    same = (np.asarray(moved)[..., 0] > 50) == (np.asarray(moved_mask) == 1)
    assert same.mean() > 0.98
    assert (np.asarray(moved_mask) != mask).any((1, 2)).mean() > 0.9
    kept, _ = jax.vmap(lambda k: run(k, 0.3))(keys)
    changed = (np.asarray(kept) != image).any((1, 2, 3)).mean()
    assert 0.1 < changed < 0.55
