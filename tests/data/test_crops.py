"""Crops are a function of (seed, stream, position), and hold defects as often as was asked for."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny
from uaps_jax.config import validate
from uaps_jax.data import crops, order, streams
from uaps_jax.data.crops import Crops
from uaps_jax.labels import IGNORE
from uaps_jax.methods.one_network import both_streams

SIZES = [(40, 70), (33, 33), (16, 90), (9, 50), (64, 21), (12, 12), (48, 48), (31, 57)]


def marked(row):
    """An image whose pixels say where they are, and a mask with a few defects in every other."""
    height, width = SIZES[row % len(SIZES)]
    rows, columns = np.indices((height, width))
    image = np.stack([rows, columns, np.full_like(rows, row)], -1).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    if row % 2:
        random = np.random.default_rng(row)
        for label in (1, 2):
            y, x = random.integers(0, height - 2), random.integers(0, width - 2)
            mask[y : y + label, x : x + label] = label
    return image, mask


def settings(**data):
    config = tiny.config(steps=12)
    chosen = {"fit": "crop", "height": 16, "width": 24, "defect_share": 0.5}
    for name, value in (chosen | data).items():
        setattr(config.data, name, value)
    for view in (config.views.labeled, config.views.unlabeled):
        view.rot90 = 0.0
    return config


def made(config, count=8, labeled=True):
    loaded = {f"image_{row}": marked(row) for row in range(count)}
    of_row = {row: crops.defect_pixels(mask) for row, (_, mask) in enumerate(loaded.values())}
    defects = {row: pixels for row, pixels in of_row.items() if pixels} if labeled else {}
    return Crops(names=tuple(loaded), load=loaded.__getitem__, defects=defects, data=config.data)


def draw(pool, **which):
    share = pool.data.defect_share
    return order.draw(size=len(pool.names), defective=pool.defective, share=share, **which)


def drawn(pool, count, seed=0, stream="labeled"):
    """The first crops of a stream: rows, and (image, mask) of each."""
    found = draw(pool, seed=seed, stream=stream, step=0, batch=count)
    return found, list(zip(*crops.cut_batch(pool, found, seed=seed, stream=stream), strict=True))


@pytest.mark.parametrize("share", [0.0, 0.25, 1 / 3, 0.5, 1.0])
def test_the_share_over_ten_thousand_draws(share):
    pool = made(settings(defect_share=share), count=9)
    found, cut = drawn(pool, 10_000)
    assert abs(found.holds_defect.sum() - 10_000 * share) < 1
    holds = np.array([((mask > 0) & (mask != IGNORE)).any() for _, mask in cut])
    assert holds[found.holds_defect].all()
    # Defective images and all images are both shown equally often.
    of_image = np.bincount(found.rows[found.holds_defect], minlength=9)
    assert np.ptp(of_image[1::2]) <= 1
    assert not of_image[::2].any()
    assert np.ptp(np.bincount(found.rows[~found.holds_defect], minlength=9)) <= 1


def test_classes_of_an_image_are_drawn_equally_often():
    """One class of 4 pixels, one of 1: a pixel drawn of all would give 4 to 1."""
    pool = made(settings(defect_share=1.0, height=1, width=1), count=2)
    _, cut = drawn(pool, 2000)
    counts = np.bincount([mask[0, 0] for _, mask in cut], minlength=3)
    assert counts[0] == 0
    assert abs(counts[1] - 1000) < 4 * np.sqrt(500)


def test_a_crop_is_a_window_of_its_image_and_mask():
    config = settings()
    pool = made(config)
    found, cut = drawn(pool, 64)
    for row, (image, mask) in zip(found.rows, cut, strict=True):
        whole, ids = pool.load(pool.names[row])
        assert image.shape == (16, 24, 3)
        assert (image[..., 2] == row).all()
        ys, xs = image[:, 0, 0].astype(int), image[0, :, 1].astype(int)
        np.testing.assert_array_equal(image, whole[np.ix_(ys, xs)])
        known = mask != IGNORE
        assert known.sum() == min(ids.shape[0], 16) * min(ids.shape[1], 24)
        np.testing.assert_array_equal(mask[known], ids[np.ix_(ys, xs)][known])


def test_uniform_places_reach_every_place_equally():
    """With a crop of 16 in 19 rows there are four places, each drawn a quarter of the time."""
    random = np.random.default_rng(0)
    places = [crops.start(random, 19, 16, 1.0, None) for _ in range(4000)]
    counts = np.bincount(places)
    assert len(counts) == 4
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(750)


@given(
    size=st.integers(1, 200),
    wanted=st.integers(1, 64),
    factor=st.sampled_from([1.0, 0.5, 0.7, 1.3, 2.0, 3.7]),
    part=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 99),
)
def test_a_target_is_the_centre_of_a_pixel(size, wanted, factor, part, seed):
    target = int(part * size)
    begin = crops.start(np.random.default_rng(seed), size, wanted, factor, target)
    rows = np.floor(begin + (np.arange(wanted) + 0.5) / factor)
    assert target in rows
    if wanted / factor <= size:  # no more than a pixel of the crop lies outside
        assert begin > -1 / factor - 1e-9
        assert begin + wanted / factor < size + 1 / factor + 1e-9


@pytest.mark.parametrize("resampling", ["nearest", "area"])
def test_scaled_crops_hold_their_defects_and_show_the_same_places(resampling):
    config = settings(crop_scale_range=(0.5, 2.0), defect_share=1.0, resampling=resampling)
    pool = made(config)
    found, cut = drawn(pool, 200)
    widths = []
    for row, (image, mask) in zip(found.rows, cut, strict=True):
        assert ((mask > 0) & (mask != IGNORE)).any()
        size = pool.load(pool.names[row])[1].shape
        if min(size) > 48:
            continue
        inside = mask != IGNORE
        ys, xs = image[..., 0].astype(int), image[..., 1].astype(int)
        step = np.diff(xs[inside.argmax(0).max()]).max()
        widths.append(step)
        assert (np.diff(ys, axis=0) >= 0).all()
        assert (np.diff(xs, axis=1) >= 0).all()
    assert min(widths) <= 1
    assert max(widths) >= 2


def test_a_defect_lies_anywhere_in_its_crop():
    """Not always in the middle: the network would learn the place."""
    image, mask = np.zeros((200, 300, 3), np.uint8), np.zeros((200, 300), np.uint8)
    mask[100, 150] = 1
    pool = Crops(
        names=("one",),
        load=lambda name: (image, mask),
        defects={0: crops.defect_pixels(mask)},
        data=settings(defect_share=1.0).data,
    )
    _, cut = drawn(pool, 3000)
    places = np.array([np.argwhere(m)[0] for _, m in cut])
    assert (np.bincount(places[:, 0], minlength=16) > 100).all()
    assert (np.bincount(places[:, 1], minlength=24) > 60).all()


def test_places_of_defects_are_few_and_of_every_class():
    mask = np.zeros((100, 100), np.uint8)
    mask[10:60], mask[70, 3], mask[90:] = 1, 2, IGNORE
    many, one = crops.defect_pixels(mask)
    assert len(many) == crops.MOST_PIXELS
    assert {int(mask.flat[place]) for place in many} == {1}
    assert one.tolist() == [70 * 100 + 3]
    assert crops.defect_pixels(np.where(mask == IGNORE, mask, 0)) == ()


def test_without_defects_the_order_is_that_of_images():
    pool = made(settings(defect_share=0.0))
    plain = order.batch_indices(seed=3, stream="labeled", step=2, batch=5, size=8)
    found = draw(pool, seed=3, stream="labeled", step=2, batch=5)
    np.testing.assert_array_equal(found.rows, plain)


def batches(config, pools, start=0, **options):
    alone = {"process": 0, "processes": 1} | options
    return list(streams.decoded_batches(config, both_streams(config), pools, start, **alone))


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for stream in ("labeled", "unlabeled"):
            assert a[stream].keys() == b[stream].keys()
            for name in a[stream]:
                np.testing.assert_array_equal(a[stream][name], b[stream][name])


def test_a_batch_depends_on_seed_and_step_alone():
    config = settings(crop_scale_range=(0.8, 1.2))
    pools = {"labeled": made(config), "unlabeled": made(config, 5, labeled=False)}
    whole = batches(config, pools)
    assert_same(whole[7:], batches(config, pools, start=7))
    config.data.stream_threads = 5
    assert_same(whole, batches(config, pools))
    parts = [batches(config, pools, process=p, processes=2) for p in range(2)]
    for step, batch in enumerate(whole):
        rows = streams.batch_rows(config, both_streams(config), pools, step)
        for stream in ("labeled", "unlabeled"):
            np.testing.assert_array_equal(batch[stream]["index"], rows[stream])
            for name in batch[stream]:
                joined = np.concatenate([part[step][stream][name] for part in parts])
                np.testing.assert_array_equal(joined, batch[stream][name])
    other = dataclasses.replace(config.train, seed=1)
    config = dataclasses.replace(config, train=other)
    assert not np.array_equal(
        batches(config, pools)[0]["unlabeled"]["image"], whole[0]["unlabeled"]["image"]
    )


def test_settings_of_crops_are_valid_and_transposed_ones_too():
    config = settings(transpose=True, defect_share=1.0)
    validate(config)
    pool = made(config)
    image, mask = crops.cut(pool, seed=0, stream="labeled", position=4, row=1, holds_defect=True)
    assert image.shape == (24, 16, 3)
    assert mask.shape == (24, 16)
    plain = crops.cut(
        made(settings()), seed=0, stream="labeled", position=4, row=1, holds_defect=True
    )
    np.testing.assert_array_equal(image, plain[0].swapaxes(0, 1))
