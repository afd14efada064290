"""Boxes that are pasted: their areas, their places, and what XOR leaves of them."""

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests import method_oracles as oracle
from uaps_jax.transforms import mixing

KEYS = jax.random.split(jax.random.key(0), 400)


def test_a_half_is_half_of_the_image_in_every_aspect_and_place():
    boxes = np.asarray(jax.vmap(lambda k: mixing.random_half(k, (32, 48)))(KEYS))
    rows, columns = boxes.any(2).sum(1), boxes.any(1).sum(1)
    assert set(columns) == set(range(25, 48))
    assert_array_equal(rows, np.round(32 * 48 / 2 / columns))
    assert_array_equal(boxes.sum((1, 2)), rows * columns)
    assert np.abs(boxes.mean((1, 2)) - 0.5).max() < 0.02
    assert boxes.any(0).all()
    assert not boxes.all(0).all()


@pytest.mark.parametrize("count", [1, 3])
def test_boxes_cover_a_random_share_of_the_image(count):
    draw = jax.vmap(lambda k: mixing.random_boxes(k, (64, 96), count=count, area=(0.25, 0.5)))
    covered = np.asarray(draw(KEYS)).mean((1, 2))
    if count == 1:  # nothing overlaps, so the area is the share that was drawn
        assert 0.24 < covered.min() < 0.27
        assert 0.48 < covered.max() < 0.51
        assert abs(covered.mean() - 0.375) < 0.01
    else:
        assert covered.max() < 0.5
        assert 0.2 < covered.mean() < 0.33


def test_overlaps_cancel():
    corners = ((0, 0, 4, 4), (2, 2, 6, 5))
    masks = [
        mixing.box(top, left, bottom - top, right - left, (8, 6))
        for top, left, bottom, right in corners
    ]
    assert_array_equal(masks[0] ^ masks[1], oracle.cutmix_mask(np.array(corners), 8, 6))


def test_paste_takes_the_source_inside_and_leaves_the_rest():
    rng = np.random.default_rng(0)
    onto, source = rng.normal(size=(2, 3, 4, 4, 2))
    mask = rng.uniform(size=(3, 4, 4)) < 0.5
    pasted = np.asarray(mixing.paste(mask, onto, source))
    assert_array_equal(pasted[mask], source[mask].astype(np.float32))
    assert_array_equal(pasted[~mask], onto[~mask].astype(np.float32))
    labels = mixing.paste(mask, np.zeros((3, 4, 4), np.int32), np.ones((3, 4, 4), np.int32))
    assert_array_equal(labels, mask)
