"""Pictures of masks: the same colours, a few bytes a pixel, no defect lost."""

import tracemalloc

import numpy as np
import pytest

from uaps_jax import palette
from uaps_jax.datasets import pieces


@pytest.mark.parametrize("channels", [1, 3])
def test_only_defects_are_tinted(channels, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 7)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (9, 5, channels), np.uint8)
    mask = random.choice(np.array([0, 1, 2, 12, 255], np.uint8), (9, 5))
    expected = np.repeat(image, 3 // channels, 2).astype(float)
    for y, x in np.argwhere((mask > 0) & (mask < 255)):
        colour = palette.COLOURS[(int(mask[y, x]) - 1) % 10 + 1]
        expected[y, x] = np.round(0.45 * expected[y, x] + 0.55 * colour)
    before = image.copy()
    result = palette.overlay(image, mask)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(image, before)


def test_a_large_overlay_takes_a_few_bytes_a_pixel():
    image, mask = np.zeros((2000, 2000, 1), np.uint8), np.ones((2000, 2000), np.uint8)
    tracemalloc.start()
    palette.overlay(image, mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * mask.size


def test_a_shrunk_mask_loses_no_thin_defect():
    mask = np.zeros((301, 500), np.uint8)
    mask[77], mask[:, 123], mask[200, 300:] = 1, 2, 255
    small = palette.shrunk(mask, (30, 50))
    expected = np.zeros((30, 50), np.uint8)
    expected[77 * 30 // 301], expected[:, 12] = 1, 2
    np.testing.assert_array_equal(small, expected)
    np.testing.assert_array_equal(palette.shrunk(mask[:, :9], (301, 9)), mask[:, :9])
