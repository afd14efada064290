"""Boxes that are pasted: their areas, positions, and combination by XOR."""

import functools

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

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


def test_three_boxes_cover_a_quarter_of_the_image():
    """As simulated apart from this code: mean 0.251, standard deviation 0.070."""
    draw = jax.jit(jax.vmap(lambda k: mixing.random_boxes(k, (64, 64), count=3, area=(0.25, 0.5))))
    covered = np.asarray(draw(jax.random.split(jax.random.key(0), 10_000)).mean((1, 2)))
    assert covered.mean() == pytest.approx(0.251, abs=0.003)
    assert covered.std() == pytest.approx(0.070, abs=0.002)


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


UNIMATCH = {"area": (0.02, 0.4), "aspect": (0.3, 1 / 0.3)}


def sides_and_corners(masks):
    """Height, width, top and left of each of the boxes, which are full rectangles."""
    rows, columns = masks.any(2), masks.any(1)
    heights, widths = rows.sum(1), columns.sum(1)
    assert_array_equal(masks.sum((1, 2)), heights * widths)
    return np.stack([heights, widths, rows.argmax(1), columns.argmax(1)], 1)


def test_rectangles_are_drawn_as_unimatch_draws_them():
    size = 48
    draw = jax.jit(jax.vmap(lambda k: mixing.random_rectangle(k, (size, size), **UNIMATCH)))
    masks = np.asarray(draw(jax.random.split(jax.random.key(1), 1500)))
    result = sides_and_corners(masks)
    expected = oracle.unimatch_boxes(np.random.default_rng(0), 1500, size, **UNIMATCH)
    for ours, theirs in zip(result.T, expected.T, strict=True):
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert masks.mean((1, 2)).min() < 0.03
    assert 0.37 < masks.mean((1, 2)).max() <= 0.4


def test_rectangles_of_oblong_images_have_the_area_and_aspect_that_were_asked_for():
    settings = {"area": (0.2, 0.2), "aspect": (2.0, 2.0)}
    draw = jax.jit(jax.vmap(lambda k: mixing.random_rectangle(k, (40, 90), **settings)))
    result = sides_and_corners(np.asarray(draw(KEYS)))
    # 0.2 * 40 * 90 = 720 pixels: floor(sqrt(1440)) high and floor(sqrt(360)) wide.
    assert (result[:, :2] == (37, 18)).all()
    assert set(result[:, 2]) == {0, 1, 2, 3}
    assert result[:, 3].min() < 4
    assert 66 < result[:, 3].max() <= 72


def test_a_rectangle_that_fits_nowhere_is_cut_off_at_the_border():
    settings = {"area": (1.0, 1.0), "aspect": (3.0, 3.0)}
    draw = jax.jit(jax.vmap(lambda k: mixing.random_rectangle(k, (10, 10), **settings)))
    result = sides_and_corners(np.asarray(draw(KEYS[:20])))
    assert (result[:, :2].min(0) >= 1).all()
    assert (result[:, 0] + result[:, 2] == 10).all()


@pytest.mark.parametrize("noise", [False, True])
def test_cutout_takes_image_label_and_weight_away(noise):
    image = np.full((16, 20, 3), 77.0, np.float32)
    given = {
        "image": image,
        "mask": np.full((16, 20), 3, np.uint8),
        "weight": np.full((16, 20), 0.5, np.float32),
        "valid": np.ones((16, 20), bool),
    }
    cut = jax.jit(
        jax.vmap(
            lambda key: mixing.random_cutout(key, given, probability=0.4, noise=noise, **UNIMATCH)
        )
    )(KEYS)
    holes = np.asarray(cut["mask"]) == 255
    assert holes.any((1, 2)).mean() == pytest.approx(0.4, abs=0.08)
    assert_array_equal(np.asarray(cut["mask"])[~holes], 3)
    assert_array_equal(cut["weight"], np.where(holes, np.float32(0), np.float32(0.5)))
    assert_array_equal(cut["valid"], ~holes)
    assert cut["mask"].dtype == np.uint8
    x = np.asarray(cut["image"])
    assert_array_equal(x[~holes], 77)
    if noise:
        assert 0 <= x[holes].min() < 1
        assert 254 < x[holes].max() <= 255
        assert x[holes].mean() == pytest.approx(127.5, abs=2)
        assert (x[holes][:, 0] != x[holes][:, 1]).mean() > 0.99
    else:
        assert_array_equal(x[holes], 0)
    sides_and_corners(holes)  # rectangles


def test_boxes_are_drawn_for_each_image_from_its_own_key():
    key = jax.random.key(4)
    draw = functools.partial(mixing.random_half, size=(8, 12))
    always = np.asarray(mixing.boxes(key, 5, draw))
    assert_array_equal(always, [draw(jax.random.fold_in(key, i)) for i in range(5)])
    some = np.asarray(mixing.boxes(key, 300, draw, 0.3))
    assert some.any((1, 2)).mean() == pytest.approx(0.3, abs=0.08)
    assert_array_equal(some[:4], mixing.boxes(key, 4, draw, 0.3))
    for i in np.flatnonzero(some.any((1, 2)))[:3]:
        _, box_key = jax.random.split(jax.random.fold_in(key, i))
        assert_array_equal(some[i], draw(box_key))
