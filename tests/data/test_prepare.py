"""Images of any size fitted to the network, and results fitted to the images."""

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
def test_padding_does_not_scale_and_added_pixels_have_no_label(size, transpose):
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


def untiled(actual, corners, size, data):
    whole = prepare.TileAssembler(size, data)
    for piece, corner in zip(actual, corners, strict=True):
        whole.add(piece, corner)
    return whole.result()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_cover_an_image_and_come_back_to_their_places(size, transpose, channels):
    data = settings("pad", height=16, width=24, transpose=transpose, channels=channels)
    pixels = picture(size)
    corners = prepare.tile_corners(size, data)
    tiles = np.stack([prepare.tile(pixels, corner, data) for corner in corners])
    assert tiles.shape[1:] == (*data.network_size, channels)
    whole = untiled(tiles[..., 0].astype(float), corners, size, data)
    np.testing.assert_allclose(whole, prepare.channels(pixels, data)[..., 0], rtol=1e-6, atol=1e-4)


def test_tiles_overlap_by_a_quarter_and_are_blended_without_a_seam():
    data = settings("pad", height=16, width=24)
    corners = prepare.tile_corners((40, 24), data)
    assert [y for y, _ in corners] == [0, 12, 24]
    # The first says 0, the second 1, the third 0: on the way the result goes up and down slowly.
    actual = np.zeros((3, 16, 24, 2), np.float32)
    actual[1, ..., 0] = 1
    whole = untiled(actual, corners, (40, 24), data)
    line = whole[:, 3, 0]
    np.testing.assert_allclose(line[[0, 11, 16, 23, 28, 39]], [0, 0, 1, 1, 0, 0])
    np.testing.assert_allclose(line[12:16], [1 / 5, 2 / 5, 3 / 5, 4 / 5])
    assert not whole[..., 1].any()


def test_grey_values_are_rounded_thousandths():
    rgb = np.array([[[255, 255, 255], [10, 20, 30], [0, 0, 4]]], np.uint8)
    # (2990 + 11740 + 3420) / 1000 = 18.15; 456 / 1000
    expected = [[[255], [18], [0]]]
    np.testing.assert_array_equal(prepare.channels(rgb, settings("pad", channels=1)), expected)


@pytest.mark.parametrize("size", SIZES)
def test_resizing_gives_one_tile(size):
    data = settings("resize")
    pixels = picture(size)
    (corner,) = prepare.tile_corners(size, data)
    tile = prepare.tile(pixels, corner, data)
    np.testing.assert_array_equal(tile, oracles.nearest_resize(pixels, (16, 16)))
    back = untiled([tile[..., 0]], [corner], size, data)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, oracles.nearest_resize(tile, size)[..., 0])


@pytest.mark.parametrize(
    ("fit", "size", "network", "resampling"),
    [
        ("resize", (48, 61), (16, 32), "nearest"),
        ("resize", (48, 61), (16, 32), "area"),
        ("resize", (40, 33), (40, 33), "nearest"),
        ("pad", (20, 50), (32, 32), "nearest"),
        ("pad", (64, 64), (32, 48), "area"),
    ],
)
@pytest.mark.parametrize("transpose", [False, True])
def test_a_restored_mask_is_prepared_to_itself(fit, size, network, resampling, transpose):
    data = settings(fit, height=network[0], width=network[1], transpose=transpose)
    data.resampling = resampling
    ids = np.random.default_rng(0).integers(0, 4, data.network_size, np.uint8)
    whole = prepare.restored(ids, size, data)
    assert whole.shape == size
    again = prepare.mask(whole, data)
    np.testing.assert_array_equal(again[again != 255], ids[again != 255])
    padding = np.count_nonzero(again == 255)
    assert padding == (network[0] - min(size[0], network[0])) * network[1] * (fit == "pad")
    cropped = whole.size - (ids.size - padding)
    assert np.count_nonzero(whole == 255) == (cropped if fit == "pad" else 0)


@pytest.mark.parametrize(("key", "value"), [("fit", "crop"), ("scale", 0.5)])
def test_a_mask_of_crops_or_of_a_scaled_image_is_not_restored(key, value):
    data = settings("pad")
    setattr(data, key, value)
    with pytest.raises(ValueError, match=f"cannot be restored: .*{key} = "):
        prepare.restored(np.zeros(data.network_size, np.uint8), (40, 40), data)


def test_an_enlarged_image_takes_a_part_of_the_mask():
    data = settings("resize", height=6, width=4)
    ids = np.arange(24, dtype=np.uint8).reshape(6, 4)
    np.testing.assert_array_equal(prepare.restored(ids, (3, 2), data), ids[1::2, 1::2])
