"""Fitting images of any size to the network, and results back."""

import numpy as np
import pytest

from tests import oracles, tiny
from uaps_jax.data import prepare
from uaps_jax.labels import IGNORE

SIZES = [(16, 16), (40, 23), (9, 33), (5, 7), (64, 48), (17, 16)]


def settings(fit, *, height=16, width=16, transpose=False, channels=3):
    data = tiny.config().data
    data.fit, data.height, data.width = fit, height, width
    data.transpose, data.channels = transpose, channels
    return data


def picture(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transpose", [False, True])
def test_padding_scales_nothing_and_labels_nothing_that_it_adds(size, transpose):
    data = settings("pad", height=16, width=24, transpose=transpose)
    pixels, ids = picture(size), np.full(size, 2, np.uint8)
    ids[::2] = 1
    image, mask = prepare.image(pixels, data), prepare.mask(ids, data)
    if transpose:
        image, mask = image.swapaxes(0, 1), mask.swapaxes(0, 1)
    assert image.shape == (16, 24, 3)
    known = mask != IGNORE
    assert known.sum() == min(size[0], 16) * min(size[1], 24)
    top, left = (size[0] - 16) // 2, (size[1] - 24) // 2
    for y, x in np.argwhere(known):
        assert (image[y, x] == pixels[y + top, x + left]).all()
        assert mask[y, x] == ids[y + top, x + left]
    edges = picture(size)[np.clip(np.arange(16) + top, 0, size[0] - 1)][
        :, np.clip(np.arange(24) + left, 0, size[1] - 1)
    ]
    np.testing.assert_array_equal(image, edges)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_cover_an_image_and_come_back_to_their_places(size, transpose, channels):
    data = settings("pad", height=16, width=24, transpose=transpose, channels=channels)
    pixels = picture(size)
    tiles, corners = prepare.tiles(pixels, data)
    assert tiles.shape[1:] == (*prepare.network_size(data), channels)
    whole = prepare.untiled(tiles[..., 0].astype(float), corners, size, data)
    np.testing.assert_array_equal(whole, prepare.channels(pixels, data)[..., 0])


@pytest.mark.parametrize("size", SIZES)
def test_resizing_gives_one_tile(size):
    data = settings("resize")
    pixels = picture(size)
    tiles, corners = prepare.tiles(pixels, data)
    np.testing.assert_array_equal(tiles[0], oracles.nearest_resize(pixels, (16, 16)))
    back = prepare.untiled(tiles[..., 0], corners, size, data)
    np.testing.assert_array_equal(back, oracles.nearest_resize(tiles[0], size)[..., 0])
