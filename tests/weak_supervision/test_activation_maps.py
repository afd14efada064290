"""Activation maps and the pseudo-masks made of them, against numpy and by hand."""

import jax
import numpy as np
import pytest

from tests import weak_oracles
from tests.crf.settings import edge, settings, soft
from uaps_jax.crf.refine import pairwise_terms
from uaps_jax.weak_supervision import activation_maps

GREY = np.array([0.299, 0.587, 0.114])


def random_maps(height=7, width=6, classes=3, seed=0):
    """0 to 1, with many values near 0, float32 `[H, W, K]`."""
    random = np.random.default_rng(seed)
    return random.beta(0.4, 1.5, (height, width, classes)).astype(np.float32)


def test_maps_extend_from_0_to_1_and_absent_classes_are_0():
    maps = np.stack(
        [random_maps()[..., 0] * 9 - 2, np.full((7, 6), 3.0), random_maps()[..., 1]], -1
    )
    tags = np.array([True, True, False])
    normal = np.asarray(activation_maps.normalized_maps(maps, tags))
    expected = (maps[..., 0] - maps[..., 0].min()) / np.ptp(maps[..., 0])
    np.testing.assert_allclose(normal[..., 0], expected, rtol=1e-5, atol=1e-7)
    assert (normal[..., 1:] == 0).all()  # the second is constant


def test_smoothing_equals_the_oracle():
    maps = random_maps()
    maps[..., 2] = 0.04  # a class without any value above the least
    maps[0, 0, :2] = 0.049, 0.051
    actual = np.asarray(activation_maps.smoothed_maps(maps))
    np.testing.assert_allclose(actual, weak_oracles.smoothed(maps), rtol=2e-5, atol=1e-7)
    assert actual[..., :2].sum() > maps[..., :2].sum()  # widened


@pytest.mark.parametrize("crf", [False, True])
def test_the_foreground_equals_that_of_a_crf_with_two_labels(crf):
    image, maps, chosen = edge(), soft()[..., :2], settings(bilateral_sigma=0.15)
    terms = pairwise_terms(image, chosen) if crf else ()
    actual = activation_maps.foreground(maps, terms, iterations=chosen.iterations, alpha=4.0)
    for k in range(2):
        v = maps[..., k].astype(np.float64)
        pair = np.stack([(1 - v) ** 4, v], -1)
        expected = weak_oracles.crf(image @ GREY, pair, chosen) if crf else pair
        np.testing.assert_array_equal(actual[..., k], expected[..., 1] > expected[..., 0])
        assert 0 < actual[..., k].mean() < 1


def test_a_proportional_mask_equals_the_oracle():
    maps = random_maps()
    is_foreground = maps > 0.3
    mask = activation_maps.proportional_mask(maps, is_foreground)
    np.testing.assert_array_equal(mask, weak_oracles.proportional_mask(maps, is_foreground))
    assert set(np.unique(mask)) == {0, 1, 2, 3}


def test_the_smaller_object_wins_an_overlap():
    maps = np.zeros((4, 4, 2), np.float32)
    maps[..., 0] = 0.9
    maps[1, 1, 1] = 0.6
    mask = jax.jit(activation_maps.proportional_mask)(maps, maps > 0.5)
    expected = np.ones((4, 4))
    expected[1, 1] = 2
    np.testing.assert_array_equal(mask, expected)
