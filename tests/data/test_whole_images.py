"""Whole images are cut into the same crops in memory and from disk."""

import numpy as np
import pytest
from PIL import Image

from tests.commands import mine
from tests.data.test_audit import defect, save, texture
from tests.data.test_crops import draw
from uaps_jax.config import ConfigError
from uaps_jax.data import crops, prepare, source, training_images, whole_images


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Ten annotated images of three sizes, half of them good, and six without a mask."""
    root = tmp_path_factory.mktemp("crops") / "mine"
    for index in range(16):
        mask = defect() * (index % 2) if index < 10 else None
        size = ((48, 48), (40, 48), (48, 30))[index % 3]
        part = np.s_[: size[0], : size[1]]
        save(root, f"part_{index:02d}", texture(index)[part], None if mask is None else mask[part])
    (root / "classes.yaml").write_text("background: 0\nscratch: 1\n")
    config = mine.settings(root)
    return config, source.open_dataset(config.data), root


def settings(opened, **changes):
    data = opened[0].data
    chosen = {"fit": "crop", "height": 16, "width": 16, "scale": 0.75, "defect_share": 0.5}
    changes = chosen | {"resampling": "area", "crop_scale_range": (0.7, 1.4)} | changes
    for name, value in changes.items():
        setattr(data, name, value)
    return data


def names(labeled):
    return [f"part_{index:02d}" for index in (range(10) if labeled else range(10, 16))]


def test_resident_and_streamed_images_give_the_same_crops(opened):
    data, dataset = settings(opened), opened[1]
    pools = {"labeled": names(True), "unlabeled": names(False)}
    cut = {}
    for mebibytes in (0, 64):
        data.resident_mib = mebibytes
        made = training_images.read(dataset, pools, data)
        assert ("kept in memory" in made.where) == (mebibytes == 64)
        cut[mebibytes] = {
            pool: crops.cut_batch(
                images,
                draw(images, seed=0, stream=pool, step=3, batch=40),
                seed=0,
                stream=pool,
            )
            for pool, images in made.pools.items()
        }
    for pool in pools:
        for streamed, resident in zip(cut[0][pool], cut[64][pool], strict=True):
            np.testing.assert_array_equal(streamed, resident)
    images, masks = cut[0]["labeled"]
    assert images.shape == (40, 16, 16, 3)
    assert (masks == 1).any((1, 2)).sum() >= 20
    assert (cut[0]["unlabeled"][1] == 255).all()


def test_what_is_held_is_at_the_scale_and_counted(opened):
    data, dataset = settings(opened), opened[1]
    made = whole_images.to_crop(dataset, names(True), data, resident=True, labeled=True)
    loaded = [made.load(name) for name in made.names]
    sizes = {image.shape for image, _ in loaded}
    assert sizes == {(36, 36, 3), (30, 36, 3), (36, 23, 3)}
    assert all(image.base is None for image, _ in loaded)
    held = sum(image.nbytes + mask.nbytes for image, mask in loaded)
    assert whole_images.mebibytes(dataset, names(True), data) == held / 2**20
    assert sorted(made.defects) == [1, 3, 5, 7, 9]
    unlabeled = whole_images.to_crop(dataset, names(True), data, resident=True, labeled=False)
    assert not unlabeled.defects


def test_images_to_evaluate_are_whole_and_at_their_own_size(opened):
    data, (_, dataset, root) = settings(opened), opened
    images = whole_images.to_evaluate(dataset, ["part_01", "part_03"], data)
    pixels, mask = images.load("part_01")
    expected = np.array(Image.open(root / "images/part_01.png").convert("RGB"))
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(mask, np.array(Image.open(root / "masks/part_01.png")))
    data = settings(opened, fit="pad", scale=1.0)
    pool = whole_images.to_evaluate(dataset, ["part_01"], data)
    np.testing.assert_array_equal(pool.images[0], prepare.image(pixels, data))


def test_probe_crops_are_one_of_each_image(opened):
    data, dataset = settings(opened), opened[1]
    made = whole_images.to_crop(dataset, names(False), data, resident=False, labeled=False)
    pool = whole_images.crops_pool(made, seed=0, stream="probe")
    assert pool.names == tuple(names(False))
    assert pool.images.shape == (6, 16, 16, 3)
    again = whole_images.crops_pool(made, seed=0, stream="probe")
    np.testing.assert_array_equal(pool.images, again.images)


def test_crops_cannot_hold_defects_where_there_are_none(opened):
    data, dataset = settings(opened), opened[1]
    good = [name for name in names(True) if int(name[-1]) % 2 == 0]
    with pytest.raises(ConfigError, match=r"data\.defect_share = 0\.5: none of the 5 labeled"):
        whole_images.to_crop(dataset, good, data, resident=False, labeled=True)
