"""Reading: the right pixels at the right size under the right name."""

import numpy as np
import pytest
from PIL import Image

from configs import neu_uaps, synthetic_uaps
from datasets.synthetic.generator import make_example
from tests import oracles
from tests.datasets.test_neu_seg import make_files, write_files
from uaps_jax.config import ConfigError
from uaps_jax.data import prepare, protocols, source


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


@pytest.mark.parametrize("folder", ["", "nowhere", "file"])
def test_a_missing_download_is_explained(tmp_path, folder):
    config = neu_uaps.get_config()
    config.data.data_dir = str(tmp_path / "built")
    (tmp_path / "file").write_text("")
    config.data.manual_dir = str(tmp_path / folder) if folder else ""
    with pytest.raises(ConfigError, match=r"(?s)data\.manual_dir.*github\.com/DHW-Master/NEU_Seg"):
        source.open_dataset(config.data)
    assert not (tmp_path / "built" / "neu_seg").exists()


@pytest.mark.parametrize("setting", ["data_dir", "manual_dir"])
def test_a_home_that_does_not_exist_is_explained(setting, tmp_path):
    config = neu_uaps.get_config()
    config.data.data_dir = str(tmp_path / "built")
    setattr(config.data, setting, "~nosuchuser/x")
    with pytest.raises(ConfigError, match=rf"data\.{setting} = '~nosuchuser/x': .* whole path"):
        source.open_dataset(config.data)


def test_a_build_of_other_raw_data_is_not_used(tmp_path):
    write_files(tmp_path / "raw", make_files("official"))
    config = neu_uaps.get_config()
    config.data.data_dir, config.data.manual_dir = str(tmp_path / "built"), str(tmp_path / "raw")
    assert len(source.open_dataset(config.data).position) == 6
    assert len(source.open_dataset(config.data).position) == 6
    for folder, suffix in (("images", "jpg"), ("annotations", "png")):
        (tmp_path / "raw" / folder / f"test/000001.{suffix}").unlink()
    with pytest.raises(ConfigError, match="built of other files than those in data.manual_dir"):
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


def test_grouped_neu_seg_on_the_real_masks(data_dir, tmp_path):
    config = neu_uaps.get_config()
    config.data.data_dir, config.data.manual_dir = str(tmp_path), str(data_dir)
    config.data.protocol = "grouped"
    dataset = source.open_dataset(config.data)
    split = protocols.make_split(dataset, config.data)
    assert sum(map(len, split.values())) == 4470
    groups = {part: {dataset.groups[n] for n in names} for part, names in split.items()}
    for one in groups:
        for other in groups:
            assert one == other or not groups[one] & groups[other]
