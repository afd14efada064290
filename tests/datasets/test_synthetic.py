"""The synthetic data set: frozen, varied, and built without downloads or TensorFlow."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow_datasets.core import dataset_metadata

from uaps_jax.datasets.synthetic import synthetic_dataset_builder
from uaps_jax.datasets.synthetic.fields import generator, make_grid, value_noise, white_noise
from uaps_jax.datasets.synthetic.generator import LABELS, SPLITS, make_example
from uaps_jax.datasets.synthetic.strokes import blob_distance, coverage, polyline_distance

PACKAGE = Path(synthetic_dataset_builder.__file__).parent
Builder = synthetic_dataset_builder.Builder


def digest(*key) -> str:
    image, mask = make_example(*key)
    return hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest()[:16]


# If one of these fails on a new platform and the others do not, see `fields.py` on the last bit of
# `sin`. If all fail, the generator has changed, and its version has to change too.
FROZEN = {
    (0, "train", 0, 64): "cbcb549c01ee5eb3",
    (0, "train", 1, 64): "5b18424b6e401ce2",
    (0, "train", 2, 64): "110d8f1f80d4bed7",
    (0, "train", 3, 64): "9be1153f0be7d94c",
    (0, "val", 0, 64): "8f7e356456e4d08b",
    (0, "test", 0, 64): "29ec5733a873c912",
    (1, "train", 0, 64): "d54fa6433a01e1a1",
    (0, "train", 0, 256): "0d66b4b361be708f",
    (0, "train", 0, 64, "line"): "5eb0d439de4b6824",
    (0, "test", 3, 64, "line"): "f0efbec28ea8e2ca",
    (0, "train", 0, 64, "closeup"): "15542ca729693801",
    (0, "train", 2, 64, "closeup"): "7088d478267ff947",
    (0, "test", 3, 64, "closeup"): "1beba12951578c4d",
    (0, "train", 1, 200, "closeup"): "138c8ab727371da9",
}


@pytest.mark.parametrize("key", FROZEN)
def test_is_frozen(key):
    assert digest(*key) == FROZEN[key]


def test_depends_on_every_part_of_the_key_and_on_nothing_else():
    key = (0, "train", 0, 64)
    others = [(1, "train", 0, 64), (0, "val", 0, 64), (0, "train", 1, 64), (0, "train", 0, 48)]
    first = digest(*key)
    assert first not in [digest(*other) for other in others]
    assert digest(*key) == first


@pytest.fixture(scope="module")
def examples():
    return [make_example(0, "train", index, 64) for index in range(SPLITS["train"])]


def test_shapes_types_and_values(examples):
    for image, mask in examples[:50]:
        assert image.shape == (64, 64, 3)
        assert mask.shape == (64, 64)
        assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique([mask for _, mask in examples])) == set(range(len(LABELS)))


def test_every_class_has_a_reasonable_share(examples):
    counts = np.bincount(np.ravel([mask for _, mask in examples]), minlength=len(LABELS))
    shares = 100 * counts / counts.sum()
    assert shares[0] > 90
    assert (shares[1:] >= 0.5).all(), shares
    assert (shares[1:] <= 5).all(), shares


def test_a_tenth_has_no_defect(examples):
    free = np.mean([not mask.any() for _, mask in examples])
    assert 0.07 < free < 0.13


def test_no_picture_is_flat_or_burnt_out(examples):
    for image, _ in examples:
        assert image.std() > 2
        assert np.mean((image == 0) | (image == 255)) < 0.2


def test_masks_lie_on_what_is_visible(examples):
    """Across an outline the brightness changes more than it does elsewhere."""
    at_outline, elsewhere = [], []
    for image, mask in examples:
        step = np.abs(np.diff(image[:, :, 1].astype(float), axis=1))
        outline = np.diff(mask.astype(int), axis=1) != 0
        at_outline.append(step[outline])
        elsewhere.append(step[~outline])
    assert np.concatenate(at_outline).mean() > 1.8 * np.concatenate(elsewhere).mean()


def test_no_two_pictures_are_near_copies(examples):
    small = np.stack([i[:, :, 1].reshape(16, 4, 16, 4).mean((1, 3)).ravel() for i, _ in examples])
    small -= small.mean(axis=1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    # Only for pictures with content; two plain plates in the same light may be similar.
    assert np.percentile((small @ small.T)[~np.eye(len(small), dtype=bool)], 99.9) < 0.97


def test_a_closeup_shows_a_defect_if_there_is_one():
    masks = np.stack([make_example(0, "train", index, 64, "closeup")[1] for index in range(200)])
    assert masks.shape == (200, 64, 64)
    assert set(np.unique(masks)) == {0, 1}
    assert 0.05 < np.mean(~masks.any((1, 2))) < 0.16
    assert 0.1 < masks.mean() < 0.25
    # The pixel that the window was drawn around is near the border only at that of the picture.
    inside = masks[masks.any((1, 2)), 12:52, 12:52]
    assert inside.any((1, 2)).mean() > 0.95


@pytest.mark.parametrize("size", [32, 50, 200])
def test_other_sizes(size):
    image, mask = make_example(0, "test", 3, size)
    assert image.shape == (size, size, 3)
    assert mask.shape == (size, size)


@pytest.mark.parametrize(
    "key",
    [
        (0, "training", 0, 64),
        (-1, "train", 0, 64),
        (0, "train", -1, 64),
        (0, "train", 0, 8),
        (0, "train", 0, 64, "lines"),
    ],
)
def test_refuses_wrong_arguments(key):
    with pytest.raises(ValueError, match="expected"):
        make_example(*key)


def test_distances_have_the_right_sign_and_scale():
    grid = make_grid(64)
    line = polyline_distance(grid, np.array([[10.0, 32.5], [50.0, 32.5]]), np.array([2.0, 2.0]))
    assert line[32, 30] == pytest.approx(-2)
    assert line[37, 30] == pytest.approx(3)
    assert line[32, 59] == pytest.approx(7.5)
    circle = blob_distance(generator(0, 0), grid, 32.5, 32.5, 5, roughness=0)
    assert circle[32, 32] == pytest.approx(-5)
    assert circle[32, 42] == pytest.approx(5)
    assert coverage(np.array([-9.0, 0.0, 9.0]), 1.0).tolist() == [1, 0.5, 0]


def test_noise_has_the_promised_range():
    grid = make_grid(64)
    smooth = value_noise(generator(0, 1), grid.x / 5, grid.y / 5)
    assert -1 <= smooth.min() < -0.5 < 0.5 < smooth.max() <= 1
    white = white_noise(generator(0, 2), 256)
    assert abs(white.mean()) < 0.02
    assert white.std() == pytest.approx(1, abs=0.02)


def test_builds_without_manual_dir(tmp_path, examples):
    builder = Builder(data_dir=tmp_path)
    builder.download_and_prepare()

    assert builder.builder_config.name == "64px"
    assert builder.info.features["mask"].names == list(LABELS)
    sources = builder.as_data_source()
    assert {split: len(source) for split, source in sources.items()} == SPLITS
    seen = set()
    for split, source in sources.items():
        for example in source:
            name = example["name"].decode()
            assert name.startswith(f"{split}/")
            seen.add((name, example["group"]))
            if split == "train":
                image, mask = examples[int(name.removeprefix("train/"))]
                np.testing.assert_array_equal(example["image"], image)
                np.testing.assert_array_equal(example["mask"][:, :, 0], mask)
    total = sum(SPLITS.values())
    assert len({name for name, _ in seen}) == total
    assert {group for _, group in seen} == set(range(total))
    assert "tensorflow" not in sys.modules


def test_configs_are_data_sets_of_their_own(tmp_path):
    config = synthetic_dataset_builder.SyntheticConfig(name="32px_seed7", size=32, seed=7)
    large, own = (
        Builder(data_dir=tmp_path, config="256px"),
        Builder(data_dir=tmp_path, config=config),
    )
    assert large.builder_config.size == 256
    assert large.data_dir.endswith("synthetic/256px/1.1.0")
    assert Builder(data_dir=tmp_path, config="line_64px").builder_config.scene == "line"
    closeup = Builder(data_dir=tmp_path, config="closeup_64px")
    assert closeup.info.features["mask"].names == ["background", "defect"]
    assert own.data_dir.endswith("synthetic/32px_seed7/1.1.0")
    own.download_and_prepare()
    example = own.as_data_source("val")[0]
    index = int(example["name"].decode().removeprefix("val/"))
    np.testing.assert_array_equal(example["image"], make_example(7, "val", index, 32)[0])


def test_folder_has_what_tfds_expects():
    assert not (PACKAGE / "checksums.tsv").read_text()
    tags = (PACKAGE / "TAGS.txt").read_text().split()
    assert tags
    assert set(tags) <= set(dataset_metadata.valid_tags())
