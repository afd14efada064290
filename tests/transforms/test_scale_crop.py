"""Random scale and crop against PIL's resize, and the values outside of the image."""

import functools

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from uaps_jax.labels import IGNORE
from uaps_jax.transforms import geometric

scale_crop = jax.jit(geometric.scale_crop, static_argnums=3)


def fields(height=12, width=9, seed=0):
    random = np.random.default_rng(seed)
    return {
        "image": random.uniform(0, 255, (height, width, 2)).astype(np.float32),
        "mask": random.integers(0, 5, (height, width)).astype(np.uint8),
        "weight": random.uniform(0.1, 1, (height, width)).astype(np.float32),
        "valid": np.ones((height, width), bool),
    }


def pil_resized(image, height, width):
    channels = [Image.fromarray(image[..., c]) for c in range(image.shape[-1])]
    return np.stack(
        [np.asarray(c.resize((width, height), Image.Resampling.BILINEAR)) for c in channels], -1
    )


def nearest(x, height, width):
    """The source of pixel i of n is floor((i + 1/2) size / n), in whole numbers."""
    rows = [(2 * i + 1) * x.shape[0] // (2 * height) for i in range(height)]
    columns = [(2 * j + 1) * x.shape[1] // (2 * width) for j in range(width)]
    return x[rows][:, columns]


SCALED = ((12, 9), (24, 18), (7, 5), (17, 20), (1, 1), (6, 9))


@pytest.mark.parametrize("scaled", SCALED)
def test_a_resized_image_is_pils_and_labels_are_the_nearest(scaled):
    given = fields()
    result = scale_crop(given, np.array(scaled), np.array((0, 0)), scaled)
    assert_allclose(result["image"], pil_resized(given["image"], *scaled), atol=1e-3)
    for name in ("mask", "weight", "valid"):
        assert result[name].dtype == given[name].dtype
        assert_array_equal(result[name], nearest(given[name], *scaled))


def test_nothing_changes_at_the_size_of_the_image():
    given = fields()
    result = scale_crop(given, np.array((12, 9)), np.array((0, 0)), (12, 9))
    for name, x in given.items():
        assert_array_equal(result[name], x)


@pytest.mark.parametrize("scaled", SCALED)
def test_a_crop_is_a_part_and_is_padded_by_the_mirrored_image_without_labels(scaled):
    given, size = fields(), (10, 11)
    corner = [max(n - c, 0) // 2 for n, c in zip(scaled, size, strict=True)]
    result = scale_crop(given, np.array(scaled), np.array(corner), size)
    whole = pil_resized(given["image"], *scaled)
    pad = [(0, max(c - n, 0)) for n, c in zip(scaled, size, strict=True)]
    part = tuple(slice(at, at + c) for at, c in zip(corner, size, strict=True))
    mirrored = np.pad(whole, (*pad, (0, 0)), mode="symmetric")[part]
    assert_allclose(result["image"], mirrored, atol=1e-3)
    for name, filled in (("mask", IGNORE), ("weight", 0), ("valid", False)):
        labels = nearest(given[name], *scaled)
        padded = np.pad(labels, pad, constant_values=filled)[part]
        assert_array_equal(result[name], padded)


def drawn(count, given, **settings):
    chosen = {"probability": 1.0, "factors": (0.5, 2.0), "size": (0, 0)} | settings
    change = functools.partial(geometric.random_scale_crop, fields=given, **chosen)
    keys = jax.random.split(jax.random.key(0), count)
    return jax.jit(jax.vmap(lambda key: change(key)))(keys)


def heights(size=16, count=600, **settings):
    """Heights of the scaled images, seen in a crop that holds all of them."""
    given = {"image": np.zeros((size, size, 1), np.float32), "valid": np.ones((size, size), bool)}
    result = np.asarray(drawn(count, given, size=(2 * size, 2 * size), **settings)["valid"])
    rows, columns = result.any(2).sum(1), result.any(1).sum(1)
    assert_array_equal(rows, columns)  # the aspect stays
    assert_array_equal(result.sum((1, 2)), rows * columns)
    return rows / size


def test_factors_are_uniform_in_their_range():
    result = heights()
    assert (result.min(), result.max()) == (0.5, 2.0)
    assert result.mean() == pytest.approx(1.25, abs=0.05)
    assert (result < 0.95).mean() == pytest.approx(0.3, abs=0.06)


def test_of_three_factors_each_side_of_the_middle_is_as_likely():
    result = heights(factors=(0.5, 1.0, 2.0))
    assert (result < 0.99).mean() == pytest.approx(0.47, abs=0.06)  # 0.97 to 1 is rounded to 1
    assert result[result > 1.04].mean() == pytest.approx(1.53, abs=0.05)


def test_without_a_draw_the_image_keeps_its_scale():
    result = heights(probability=0.3)
    assert (result == 1).mean() == pytest.approx(0.7 + 0.3 / 24, abs=0.06)
    assert (heights(count=50, probability=0.0) == 1).all()


def test_crops_lie_anywhere_inside_and_all_fields_move_together():
    row, column = np.mgrid[:8, :6].astype(np.float32)
    given = {"image": np.stack([row, column], -1), "mask": (row * 6 + column).astype(np.int32)}
    result = drawn(400, given, probability=0.0, size=(5, 4))
    assert result["image"].shape == (400, 5, 4, 2)
    assert_array_equal(result["image"][..., 0] * 6 + result["image"][..., 1], result["mask"])
    corners, counts = np.unique(np.asarray(result["mask"])[:, 0, 0], return_counts=True)
    assert_array_equal(corners, [r * 6 + c for r in range(4) for c in range(3)])
    assert counts.max() < 2.2 * counts.min()


def test_a_side_of_zero_is_that_of_the_image():
    result = drawn(3, fields(), size=(0, 4))
    assert result["image"].shape == (3, 12, 4, 2)
    assert result["mask"].shape == (3, 12, 4)
