"""Rough masks of made-up objects, kind by kind."""

import numpy as np
import pytest

from tests import tiny
from uaps_jax.config import RoughConfig
from uaps_jax.data import rough
from uaps_jax.labels import IGNORE

KINDS = ("ellipse", "box", "dilation", "erosion", "dropped", "scribble")


def settings(kind, **changes):
    values = {"seed": 0, "scale": (1.2, 1.5), "radius": 2, "drop": 0.5}
    return RoughConfig(kind=kind, **(values | changes))


def objects():
    """A disk, a thin line, a corner piece with a hole beside it, and pixels without a label."""
    mask = np.zeros((48, 64), np.uint8)
    y, x = np.mgrid[:48, :64]
    mask[(y - 20) ** 2 + (x - 18) ** 2 <= 100] = 1
    mask[40, 30:56] = 2
    mask[:9, 50:] = 3
    mask[4, 55] = 0
    mask[44:, :6] = IGNORE
    return mask


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_without_a_label_keep_none_and_no_class_is_new(kind):
    mask = objects()
    result = rough.rough_mask(mask, "a", settings(kind))
    assert result.dtype == np.uint8
    assert (result[mask == IGNORE] == IGNORE).all()
    assert set(np.unique(result)) <= {0, 1, 2, 3, IGNORE}
    assert (result != mask).any()
    np.testing.assert_array_equal(mask, objects())  # is not changed in place
    np.testing.assert_array_equal(result, rough.rough_mask(mask, "a", settings(kind)))


@pytest.mark.parametrize("kind", ["ellipse", "dropped", "scribble"])
def test_what_is_random_depends_on_the_seed_and_on_the_image(kind):
    variants = [
        rough.rough_mask(objects(), name, settings(kind, seed=seed)).tobytes()
        for name in "abcd"
        for seed in range(4)
    ]
    assert len(set(variants)) > 4


def test_an_ellipse_has_the_moments_of_its_object():
    mask = objects()
    random = np.random.default_rng(0)
    exact = rough.ellipses(mask, random, (1.0, 1.0))
    assert ((exact == 1) != (mask == 1)).mean() < 0.01  # a disk is its own ellipse
    enlarged = rough.ellipses(mask, random, (1.4, 1.4))
    assert (enlarged == 1).sum() == pytest.approx(1.4**2 * (mask == 1).sum(), rel=0.03)
    assert (enlarged == 1)[mask == 1].all()
    # Of a line of 26 pixels: 2 / sqrt(12) of its length to each side, and 1 pixel thick.
    rows, columns = np.nonzero(exact == 2)
    assert set(rows) == {40}
    assert np.ptp(columns) + 1 == pytest.approx(2 * 26 * 2 / np.sqrt(12), abs=1)
    # A slanted object has a slanted ellipse.
    slanted = np.zeros((64, 64), np.uint8)
    slanted[np.arange(16, 48), np.arange(16, 48)] = 1
    rows, columns = np.nonzero(rough.ellipses(slanted, random, (1.2, 1.2)))
    assert np.abs(rows - columns).max() <= 1
    assert len(np.unique(rows)) == pytest.approx(1.2 * 32 * 2 / np.sqrt(3), abs=2)


def test_a_box_is_upright_and_tight():
    result = rough.boxes(objects())
    expected = np.zeros_like(result)
    expected[10:31, 8:29] = 1
    expected[40, 30:56] = 2
    expected[:9, 50:] = 3
    expected[44:, :6] = IGNORE
    np.testing.assert_array_equal(result, expected)


def test_of_overlapping_boxes_the_smaller_one_is_in_front():
    mask = np.zeros((10, 10), np.uint8)
    mask[:, 0] = mask[9, :] = 1
    mask[2:4, 5:7] = 2
    assert (rough.boxes(mask) == 2).sum() == 4
    assert (rough.boxes(mask) == 1).sum() == 96


def test_objects_grow_over_the_background_alone():
    mask = np.zeros((9, 12), np.uint8)
    mask[4, 2], mask[4, 8] = 1, 2
    result = rough.dilated(mask, 3)
    assert (result[4, :5] == 1).all()
    assert (result[4, 6:] == 2).all()  # between them, pixel 5 is as far from both
    assert (result[:, 2] == 1).sum() == 7
    np.testing.assert_array_equal(rough.dilated(mask * 0, 3), mask * 0)


def test_objects_shrink_but_stay():
    mask = objects()
    result = rough.eroded(mask, 2)
    assert ((result != 0) <= (mask != 0)).all()
    assert 0.6 < (result == 1).sum() / (mask == 1).sum() < 0.7
    np.testing.assert_array_equal(result == 2, mask == 2)  # one pixel thick: nothing is inside
    assert result[0, 63] == 3  # the border of the image is no edge of an object
    full = np.ones((4, 4), np.uint8)
    np.testing.assert_array_equal(rough.eroded(full, 2), full)


def test_objects_are_left_out_with_their_probability():
    mask = np.zeros((40, 40), np.uint8)
    mask[::2, ::2] = 1  # 400 objects
    result = rough.dropped(mask, np.random.default_rng(0), 0.2)
    assert ((result == 1) <= (mask == 1)).all()
    assert (result == 1).sum() / 400 == pytest.approx(0.8, abs=0.06)


def test_a_scribble_is_a_stroke_inside_of_each_object():
    mask = objects()
    result = rough.rough_mask(mask, "a", settings("scribble", radius=1))
    known = result != IGNORE
    np.testing.assert_array_equal(result[known], mask[known])
    assert {0, 1, 2, 3} <= set(np.unique(result))
    for label in range(4):
        assert (result == label).sum() < (mask == label).sum() or label == 2
    line = np.flatnonzero(result[40] == 2)
    np.testing.assert_array_equal(line, np.arange(30, 56))  # from end to end
    rows, columns = np.nonzero(result == 1)
    assert max(np.ptp(rows), np.ptp(columns)) >= 10
    assert rough.scribbles(np.zeros((8, 8), np.uint8), np.random.default_rng(0), 0).min() == 0


def test_the_labels_of_an_image():
    assert rough.image_labels(objects()) == (1, 2, 3)
    assert rough.image_labels(np.full((3, 3), IGNORE, np.uint8)) == ()


def test_images_in_memory_and_on_disk_get_the_same_masks():
    pools = tiny.pools()
    chosen = settings("ellipse")
    held = rough.rough_images(pools.train["labeled"], chosen)
    files = rough.rough_images(tiny.in_files(pools).train["labeled"], chosen)
    assert held.names == pools.train["labeled"].names
    for row, name in enumerate(held.names):
        loaded = files.load(name)
        np.testing.assert_array_equal(loaded["mask"], held.masks[row])
        np.testing.assert_array_equal(loaded["image"], held.images[row])
    assert (held.masks != pools.train["labeled"].masks).any()
    assert rough.rough_images(held, settings("none")) is held
