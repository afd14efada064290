"""NEU-Seg: every accepted layout, every kind of bad input, the packaged lists, the real data."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import dataset_metadata

from uaps_jax.datasets import locate, similarity
from uaps_jax.datasets.common import DataError, read_mask
from uaps_jax.datasets.neu_seg import find_groups, layouts, neu_seg_dataset_builder, protocols
from uaps_jax.datasets.neu_seg.groups import GROUPS_FILE, groups

Builder = neu_seg_dataset_builder.Builder
PACKAGE = Path(neu_seg_dataset_builder.__file__).parent

# The same file name in both splits, as in the real data; "made_up" is in no list.
NAMES = {"training": ["000201", "000202", "000203", "made_up"], "test": ["000001", "000201"]}


def make_files(layout: str) -> dict[str, bytes]:
    """A tiny data set: file -> bytes."""
    rng = np.random.default_rng(0)
    files = {}
    for split, folders in layouts.LAYOUTS[layout].items():
        for name in NAMES[split]:
            image = rng.integers(0, 256, (24, 20, 3), np.uint8)
            mask = rng.integers(0, 4, (24, 20), np.uint8)
            files[f"{folders.images}/{name}.jpg"] = encode(image, "JPEG")
            files[f"{folders.masks}/{name}.png"] = encode(mask, "PNG")
    return files


def encode(array: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


def write_files(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_zip(path: Path, files: dict[str, bytes], prefix: str = "NEU_Seg-main/") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)


def snapshot(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_size for p in root.rglob("*")}


def build(manual_dir: Path, data_dir: Path) -> Builder:
    builder = Builder(data_dir=data_dir)
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    builder.download_and_prepare(download_config=config)
    return builder


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


LAYOUTS_ON_DISK = {
    "archive": ("official", "zip"),
    "extracted": ("official", ""),
    "extracted in its folder": ("official", "NEU_Seg-main"),
    "UAPS": ("UAPS", ""),
    "UAPS in NEU_data": ("UAPS", "NEU_data"),
    "UAPS in data/NEU_data": ("UAPS", "data/NEU_data"),
}


@pytest.mark.parametrize("case", LAYOUTS_ON_DISK)
def test_builds_from_every_layout(case, raw, tmp_path):
    layout, place = LAYOUTS_ON_DISK[case]
    files = make_files(layout)
    if place == "zip":
        write_zip(raw / "any name.zip", files)
    else:
        write_files(raw / place, files)
    before = snapshot(raw)

    builder = build(raw, tmp_path / "built")

    assert snapshot(raw) == before, "the raw data was touched"
    assert builder.info.features["mask"].names == list(neu_seg_dataset_builder.LABELS)
    splits = builder.as_data_source()
    assert {split: len(source) for split, source in splits.items()} == {"train": 4, "test": 2}
    for split, official in (("train", "training"), ("test", "test")):
        folders = layouts.LAYOUTS[layout][official]
        seen = {}
        for example in splits[split]:
            name = example["name"].decode()
            seen[name] = example["group"]
            id_ = name.removeprefix(f"{official}/")
            assert set(example) == {"image", "mask", "name", "group", "has_mask"}
            assert example["image"].dtype == example["mask"].dtype == np.uint8
            assert example["image"].shape == (24, 20, 3)
            assert example["mask"].shape == (24, 20, 1)
            expected = read_mask(files[f"{folders.masks}/{id_}.png"])
            np.testing.assert_array_equal(example["mask"][:, :, 0], expected)
        assert seen == {
            f"{official}/{id_}": groups().get(f"{official}/{id_}", -1) for id_ in NAMES[official]
        }
    assert "tensorflow" not in sys.modules


def test_keeps_the_jpeg_bytes(raw, tmp_path):
    files = make_files("official")
    write_zip(raw / "NEU_Seg-main.zip", files)
    source = build(raw, tmp_path / "built").as_data_source(
        "test", decoders={"image": tfds.decode.SkipDecoding()}
    )
    for example in source:
        assert example["image"] == files[f"images/{example['name'].decode()}.jpg"]


def test_palette_mask_and_ignore_value_are_stored_as_ids(raw, tmp_path):
    files = make_files("official")
    ids = np.full((24, 20), 2, np.uint8)
    ids[0] = 255
    mask = Image.fromarray(ids)
    mask.putpalette(list(range(256)) * 3)
    file = io.BytesIO()
    mask.save(file, "PNG")
    files["annotations/test/000001.png"] = file.getvalue()
    write_files(raw, files)
    source = build(raw, tmp_path / "built").as_data_source("test")
    stored = {example["name"]: example["mask"] for example in source}[b"test/000001"]
    np.testing.assert_array_equal(stored[:, :, 0], ids)


def test_hidden_and_foreign_files_are_left_out(raw, tmp_path):
    files = make_files("official") | {
        "images/test/._000001.jpg": b"x",
        "images/test/Thumbs.db": b"",
    }
    write_zip(raw / "NEU_Seg-main.zip", files)
    with zipfile.ZipFile(raw / "NEU_Seg-main.zip", "a") as archive:
        archive.writestr("__MACOSX/NEU_Seg-main/images/training/._000201.jpg", b"x")
    assert len(build(raw, tmp_path / "built").as_data_source("test")) == 2


def test_other_archives_beside_it_do_no_harm(raw, tmp_path):
    write_zip(raw / "a.zip", {"x/y.jpg": b""})
    (raw / "b.zip").write_bytes(b"no zip")
    write_zip(raw / "NEU_Seg-main.zip", make_files("official"))
    assert len(build(raw, tmp_path / "built").as_data_source("train")) == 4


def test_warns_when_the_counts_are_not_the_official_ones(raw, tmp_path, caplog):
    write_files(raw, make_files("official"))
    with caplog.at_level(logging.WARNING, "absl"):
        build(raw, tmp_path / "built")
    warnings = [r.getMessage() for r in caplog.records if "complete data set" in r.getMessage()]
    assert len(warnings) == 2
    assert "4 pairs in the training split, the complete data set has 3630" in warnings[0]


def assert_nothing_built(data_dir: Path) -> None:
    left = [path for path in data_dir.rglob("*") if path.is_file()] if data_dir.exists() else []
    assert left == []
    with pytest.raises(KeyError, match="has not been generated"):
        Builder(data_dir=data_dir).as_data_source("train")


@pytest.mark.parametrize("archived", [False, True])
def test_all_bad_files_are_in_one_report_and_nothing_is_built(archived, raw, tmp_path):
    files = make_files("official")
    image = files["images/training/000201.jpg"]
    ids = np.zeros((24, 20), np.uint8)

    def add(name: str, image_data: bytes | None, mask_data: bytes | None) -> None:
        for file, data in (
            (f"images/{name}.jpg", image_data),
            (f"annotations/{name}.png", mask_data),
        ):
            if data is not None:
                files[file] = data

    good = encode(ids, "PNG")
    add("training/no_mask", image, None)
    add("training/no_image", None, good)
    add("training/cut_image", image[:200], good)
    add("training/cut_mask", image, good[:40])
    add("training/zero_tail", image[: len(image) // 2] + bytes(len(image) // 2), good)
    add("test/wrong_size", image, encode(ids[:10], "PNG"))
    add("test/rgb_mask", image, encode(np.zeros((24, 20, 3), np.uint8), "PNG"))
    add("test/wrong_value", image, encode(ids + 17, "PNG"))
    add("test/empty", b"", good)
    files["images/test/twice.jpeg"] = files["images/test/twice.jpg"] = image
    files["annotations/test/twice.png"] = good
    if archived:
        write_zip(raw / "NEU_Seg-main.zip", files)
    else:
        write_files(raw, files)

    with pytest.raises(DataError) as caught:
        build(raw, tmp_path / "built")

    reasons = {Path(problem.path).name: problem.reason for problem in caught.value.problems}
    expected = {
        "no_mask.jpg": "missing mask",
        "no_image.png": "missing image",
        "cut_image.jpg": "cannot be read",
        "cut_mask.png": "cannot be read",
        "zero_tail.jpg": "cannot be read",
        "wrong_size.png": "20x10",
        "rgb_mask.png": "not single-channel 8-bit",
        "wrong_value.png": "values 17;",
        "empty.jpg": "empty",
        "twice.jpg": "a second file",
    }
    assert reasons.keys() == expected.keys()
    for name, part in expected.items():
        assert part in reasons[name]
        assert name in str(caught.value)
    assert_nothing_built(tmp_path / "built")


def test_damage_inside_an_archive_is_reported(raw, tmp_path):
    path = raw / "NEU_Seg-main.zip"
    files = make_files("official")
    write_zip(path, files)
    data = bytearray(path.read_bytes())
    data[data.index(files["images/test/000001.jpg"]) + 100] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"test/000001\.jpg: cannot be read: damaged inside"):
        build(raw, tmp_path / "built")
    assert_nothing_built(tmp_path / "built")


def test_repaired_data_builds_after_a_failure(raw, tmp_path):
    files = make_files("official")
    write_files(raw, files)
    (raw / "annotations/test/000001.png").unlink()
    with pytest.raises(DataError):
        build(raw, tmp_path / "built")
    write_files(raw, files)
    assert len(build(raw, tmp_path / "built").as_data_source("test")) == 2


class TestNotFound:
    def test_the_error_has_what_is_missing_the_folder_and_the_cure(self, raw, tmp_path):
        (raw / "readme.txt").write_text("x")
        with pytest.raises(DataError) as caught:
            build(raw, tmp_path / "built")
        report = str(caught.value)
        for part in (str(raw), "*.zip", "NEU_data", "https://github.com/DHW-Master/NEU_Seg"):
            assert part in report
        assert_nothing_built(tmp_path / "built")

    @pytest.mark.parametrize("exists", [True, False])
    def test_empty_or_absent_folder(self, exists, raw, tmp_path):
        with pytest.raises(DataError, match="does not exist or is empty"):
            build(raw if exists else raw / "none", tmp_path / "built")

    def test_names_the_folders_that_a_near_miss_lacks(self, raw, tmp_path):
        files = {n: d for n, d in make_files("official").items() if "annotations/test" not in n}
        write_files(raw, files)
        with pytest.raises(DataError, match="holds no files in annotations/test"):
            build(raw, tmp_path / "built")

    def test_broken_download_is_named(self, raw, tmp_path):
        path = raw / "NEU_Seg-main.zip"
        write_zip(path, make_files("official"))
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(DataError, match=r"NEU_Seg-main\.zip: not a readable zip file"):
            build(raw, tmp_path / "built")

    def test_two_archives_are_ambiguous(self, raw, tmp_path):
        write_zip(raw / "a.zip", make_files("official"))
        shutil.copy(raw / "a.zip", raw / "b.zip")
        with pytest.raises(DataError, match="Leave only one"):
            build(raw, tmp_path / "built")


def test_folder_has_what_tfds_expects():
    assert not (PACKAGE / "checksums.tsv").read_text()
    tags = (PACKAGE / "TAGS.txt").read_text().split()
    assert tags
    assert set(tags) <= set(dataset_metadata.valid_tags())
    assert (PACKAGE / "CITATIONS.bib").read_text().startswith("@")


def test_published_lists_divide_the_official_training_split():
    names = {n: "test" if n.startswith("test/") else "train" for n in groups()}
    published = protocols.PROTOCOLS["published"].parts(names)
    train, val = set(published.train), set(published.val)
    assert (len(published.train), len(published.val), len(published.test)) == (3085, 545, 840)
    assert not train & val
    assert train | val == {name for name in names if names[name] == "train"}
    assert list(published.train) == sorted(published.train)


class TestGroups:
    def test_sizes(self):
        sizes = Counter(Counter(groups().values()).values())
        assert sizes == {4: 1080, 1: 30, 8: 12, 24: 1}
        assert Counter(name.split("/")[0] for name in groups()) == {"training": 3630, "test": 840}

    def test_are_numbered_by_first_member(self):
        numbers = [groups()[name] for name in sorted(groups())]
        assert list(dict.fromkeys(numbers)) == list(range(1123))

    def test_nearly_the_whole_test_split_is_in_the_training_split_too(self):
        training = {group for name, group in groups().items() if name.startswith("training/")}
        test = [group for name, group in groups().items() if name.startswith("test/")]
        assert sum(group in training for group in test) == 810

    def test_finds_rotated_noisy_copies_and_nothing_else(self):
        rng = np.random.default_rng(0)
        cells = rng.integers(30, 220, (6, 10, 10, 1), np.uint8)
        pictures = [np.repeat(c.repeat(20, 0).repeat(20, 1), 3, axis=2) for c in cells]
        noise = rng.integers(-6, 7, (200, 200, 1))
        copies = [np.uint8(np.rot90(p, k + 1) + noise) for k, p in enumerate(pictures[:3])]
        assert find_groups.find_groups(pictures + copies) == [0, 1, 2, 3, 4, 5, 0, 1, 2]

    def test_flat_images_match_nothing(self):
        flat = np.full((200, 200, 3), 128, np.uint8)
        assert find_groups.find_groups([flat, flat]) == [0, 1]

    def test_chains_are_joined(self):
        assert similarity.connected(5, [(3, 4), (1, 3)]) == [0, 1, 2, 1, 1]


# The complete data set, where somebody has put it.

PROJECT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("UAPS_DATA_DIR", PROJECT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real() -> locate.Location:
    if not (REAL / "NEU_Seg-main.zip").exists():
        pytest.skip("NEU_Seg-main.zip is not in UAPS_DATA_DIR")
    return layouts.find(REAL)


@pytest.fixture(scope="session")
def real_build(real, tmp_path_factory) -> Builder:
    return build(REAL, tmp_path_factory.mktemp("neu_seg"))


REAL_MASKS = {
    "training": ((87.936, 2.144, 7.357, 2.564), (1460, 1448, 1429)),
    "test": ((87.555, 2.493, 7.178, 2.774), (364, 360, 353)),
}


@pytest.mark.parametrize("split", REAL_MASKS)
def test_real_masks(real, split):
    pairs, problems = layouts.pairs(real)
    pairs = [pair for pair in pairs if pair.split == split]
    assert not problems
    assert len(pairs) == neu_seg_dataset_builder.OFFICIAL_COUNTS[split]
    with real.tree.reading() as read:
        counts = np.array(
            [np.bincount(read_mask(read(p.mask)).ravel(), minlength=4) for p in pairs]
        )
    shares, images = REAL_MASKS[split]
    assert counts.shape[1] == 4
    np.testing.assert_allclose(100 * counts.sum(0) / counts.sum(), shares, atol=6e-4)
    assert tuple((counts[:, 1:] > 0).sum(0)) == images


def test_real_build(real_build):
    splits = real_build.as_data_source()
    assert {split: len(source) for split, source in splits.items()} == {"train": 3630, "test": 840}
    raw = real_build.as_data_source(
        decoders={name: tfds.decode.SkipDecoding() for name in ("image", "mask")}
    )
    stored = {e["name"].decode(): e["group"] for source in raw.values() for e in source}
    assert stored == dict(groups())
    assert splits["train"][0]["image"].shape == (200, 200, 3)


def test_real_groups_are_the_packaged_ones(real, tmp_path):
    pairs, _ = layouts.pairs(real)
    with real.tree.reading() as read:
        result = find_groups.find_groups(find_groups.read_image(read(p.image)) for p in pairs)
    text = find_groups.to_csv([(pair.split, pair.id) for pair in pairs], result)
    assert text == GROUPS_FILE.read_text()
