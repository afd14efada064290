"""Reading of images and masks: pixels, size and name."""

import hashlib
import json
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests import oracles
from tests.datasets.test_neu_seg import make_files, write_files
from uaps_jax.config import ConfigError
from uaps_jax.configs import neu_uaps, synthetic_uaps, train
from uaps_jax.data import leakage, prepare, protocols, source
from uaps_jax.datasets.common import DataError
from uaps_jax.datasets.synthetic.generator import make_example


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    config = synthetic_uaps.get_config()
    config.data.data_dir = str(tmp_path_factory.mktemp("built"))
    return config, source.open_dataset(config.data)


def test_pixels_names_and_masks_belong_together(built):
    config, dataset = built
    names = ["test/00003", "train/00000", "val/00001"]
    pool = source.read(dataset, names, config.data)
    assert pool.names == tuple(names)
    for row, name in enumerate(names):
        part, index = name.split("/")
        image, mask = make_example(0, part, int(index), 64)
        np.testing.assert_array_equal(pool.images[row], image)
        np.testing.assert_array_equal(pool.masks[row], mask)


def test_the_native_split_labels_sixteen_images(built):
    config, dataset = built
    split = protocols.make_split(dataset, config.data)
    sizes = {part: len(names) for part, names in split.items()}
    assert sizes == {"labeled": 16, "unlabeled": 496, "val": 96, "test": 192}
    assert split == protocols.make_split(dataset, config.data)


def test_resizing_is_opencvs_nearest_neighbour(built):
    config, dataset = built
    config = synthetic_uaps.get_config()
    config.data.height, config.data.width = 48, 32
    pool = source.read(dataset, ["train/00005"], config.data)
    image, mask = make_example(0, "train", 5, 64)
    np.testing.assert_array_equal(pool.images[0], oracles.nearest_resize(image, (48, 32)))
    np.testing.assert_array_equal(
        pool.masks[0], oracles.nearest_resize(mask[..., None], (48, 32))[..., 0]
    )


def test_transposing_swaps_height_and_width_after_resizing():
    data = neu_uaps.get_config().data
    data.height, data.width, data.transpose = 4, 2, True
    image = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
    got = prepare.image(image, data)
    expected = oracles.nearest_resize(image, (4, 2)).swapaxes(0, 1)
    np.testing.assert_array_equal(got, expected)


def test_one_channel_is_pillows_grey():
    data = neu_uaps.get_config().data
    data.channels, data.height, data.width = 1, 8, 8
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    grey = np.asarray(Image.fromarray(image).convert("L")).astype(int)
    assert np.abs(prepare.image(image, data)[..., 0].astype(int) - grey).max() <= 1


def test_an_unknown_dataset_is_refused_with_the_known_ones(tmp_path):
    config = neu_uaps.get_config()
    config.data.name, config.data.data_dir = "neu_sag", str(tmp_path)
    with pytest.raises(ConfigError, match=r"must be one of .*neu_seg, synthetic"):
        source.open_dataset(config.data)
    config.data.name = "synthetic/65px"
    with pytest.raises(ConfigError, match=r"data\.name = 'synthetic/65px'.*64px"):
        source.open_dataset(config.data)


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_a_missing_folder_of_raw_data_is_explained(tmp_path, folder):
    config = neu_uaps.get_config()
    config.data.data_dir = str(tmp_path / "built")
    (tmp_path / "file").write_text("")
    config.data.manual_dir = str(tmp_path / folder)
    with pytest.raises(ConfigError, match=r"(?s)data\.manual_dir.*github\.com/DHW-Master/NEU_Seg"):
        source.open_dataset(config.data)
    assert not (tmp_path / "built" / "neu_seg").exists()


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize(
    ("dataset", "what"),
    [
        ("neu", "neu_seg has no raw data yet: put NEU_Seg-main.zip from https://github.com/DHW-"),
        ("mtiles", "mtiles .*: put Magnetic-tile-defect-datasets.-master.zip from https://"),
        ("dagm", "dagm .*: put the archives of DAGM 2007, .* from https://zenodo"),
        ("ksdd2", "ksdd2 .*: put KolektorSDD2.zip from https://www.vicos"),
        ("crackforest", "crackforest .*: put CrackForest-dataset-master.zip from https://"),
        ("folder", "folder .*: put your folders images and masks, with classes.yaml"),
    ],
)
def test_missing_raw_data_in_the_default_folder_are_one_sentence(
    tmp_path, monkeypatch, exists, dataset, what
):
    monkeypatch.chdir(tmp_path)
    if exists:
        (tmp_path / "downloads").mkdir()
        (tmp_path / "downloads" / "notes.txt").write_text("of something else")
    config = train.build(dataset=dataset, method="uaps")
    config.data.data_dir = str(tmp_path / "built")
    with pytest.raises(ConfigError, match=what) as raised:
        source.open_dataset(config.data)
    assert f"into {tmp_path / 'downloads'}, or pass --config" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not [p for p in tmp_path.rglob("built/**/*") if p.is_file()]


def test_a_damaged_archive_in_the_default_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "NEU_Seg-main.zip").write_bytes(b"half of it")
    config = neu_uaps.get_config()
    config.data.data_dir = str(tmp_path / "built")
    with pytest.raises(DataError, match=r"NEU_Seg-main\.zip: not a readable zip"):
        source.open_dataset(config.data)


def test_raw_data_are_found_in_the_default_folder(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "downloads" / "NEU_data", make_files("UAPS"))
    config = neu_uaps.get_config()
    config.data.data_dir = str(tmp_path / "built")
    assert len(source.open_dataset(config.data).position) == 6
    for folder, suffix in (("test_images", "jpg"), ("test_annot", "png")):
        (tmp_path / f"downloads/NEU_data/{folder}/000001.{suffix}").unlink()
    with pytest.raises(
        ConfigError, match="built from other files than those in the default folder"
    ):
        source.open_dataset(config.data)
    shutil.rmtree(tmp_path / "downloads/NEU_data")
    caplog.clear()
    assert len(source.open_dataset(config.data).position) == 6
    assert "using what was built before" not in caplog.text


@pytest.mark.parametrize("setting", ["data_dir", "manual_dir"])
def test_a_home_that_does_not_exist_is_explained(setting, tmp_path):
    config = neu_uaps.get_config()
    config.data.data_dir = str(tmp_path / "built")
    setattr(config.data, setting, "~nosuchuser/x")
    with pytest.raises(ConfigError, match=rf"data\.{setting} = '~nosuchuser/x': .* whole path"):
        source.open_dataset(config.data)


def test_a_build_of_other_raw_data_is_not_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "raw", make_files("official"))
    config = neu_uaps.get_config()
    config.data.data_dir, config.data.manual_dir = str(tmp_path / "built"), str(tmp_path / "raw")
    assert len(source.open_dataset(config.data).position) == 6
    assert len(source.open_dataset(config.data).position) == 6
    for folder, suffix in (("images", "jpg"), ("annotations", "png")):
        (tmp_path / "raw" / folder / f"test/000001.{suffix}").unlink()
    with pytest.raises(ConfigError, match="built from other files than those in data.manual_dir"):
        source.open_dataset(config.data)
    config.data.manual_dir = str(tmp_path / "elsewhere")
    assert len(source.open_dataset(config.data).position) == 6
    config.data.manual_dir = ""
    assert len(source.open_dataset(config.data).position) == 6


def test_a_protocol_that_a_dataset_lacks_is_refused(built):
    config, dataset = built
    config = synthetic_uaps.get_config()
    config.data.protocol = "published"
    with pytest.raises(ConfigError, match=r"data\.protocol = 'published': synthetic does not"):
        protocols.make_split(dataset, config.data)


def test_grouped_neu_seg_on_the_real_masks(data_dir, tmp_path, monkeypatch):
    config = neu_uaps.get_config()
    config.data.data_dir, config.data.manual_dir = str(tmp_path), str(data_dir)
    config.data.protocol = "grouped"
    dataset = source.open_dataset(config.data)
    classes = protocols.classes(dataset)
    monkeypatch.setattr(protocols, "classes", lambda _: classes)  # all masks are decoded once

    def drawn(**changes):
        for key, value in changes.items():
            setattr(config.data, key, value)
        split = protocols.make_split(dataset, config.data)
        assert leakage.leaks(split, dataset.groups)["train or val"] == 0
        assert leakage.val_leaks(split, dataset.groups) == 0
        record = protocols.record(dataset, config.data, split)
        return split, record["sizes"], (record["protocol"], record["version"])

    # Thirty labels are thirty pictures, ten with each class at least.
    for seed in (0, 45):
        split, sizes, name = drawn(labeled_count=30, split_seed=seed)
        assert name == ("grouped", 2)
        assert sizes["labeled"] == {"images": 30, "groups": 30}
        held = Counter(label for image in split["labeled"] for label in classes[image])
        assert held.keys() == {1, 2, 3}
        assert min(held.values()) >= 9
        assert sizes["left out"]["groups"] == 30
        assert (sizes["val"]["images"], sizes["test"]["images"]) == (545, 840)
        assert sum(size["images"] for size in sizes.values()) == 4470
        kept, more, _ = drawn(labeled_group_copies="unlabeled")
        assert more["left out"]["images"] == 0
        assert more["unlabeled"]["images"] == 3055
        assert [kept[p] for p in ("labeled", "val", "test")] == [
            split[p] for p in ("labeled", "val", "test")
        ]
        config.data.labeled_group_copies = "exclude"
    # A tenth of the groups; and all masks.
    _, sizes, _ = drawn(labeled_count=0, labeled_ratio=0.1, split_seed=45)
    assert sizes["labeled"] == {"images": 78, "groups": 78}
    _, sizes, _ = drawn(labeled_ratio=1.0)
    assert (sizes["labeled"]["images"], sizes["unlabeled"]["images"]) == (3085, 0)
    config.data.labeled_count = 800
    with pytest.raises(ConfigError, match="777 distinct pictures .leakage groups., in 3085 images"):
        protocols.make_split(dataset, config.data)
    # Version 1 has the lists that it had.
    config.data.protocol = "grouped_v1"
    for seed, count, ratio, digest in (
        (0, 30, 0.1, "7dffee3fd2a93fe5"),
        (45, 30, 0.1, "297d4380e4c0d1c1"),
        (45, 0, 0.1, "e1d849c9b1efc9fb"),
    ):
        split, sizes, name = drawn(split_seed=seed, labeled_count=count, labeled_ratio=ratio)
        assert hashlib.sha256(json.dumps(split).encode()).hexdigest()[:16] == digest
        assert name == ("grouped", 1)
        assert sizes["left out"]["images"] == 0
