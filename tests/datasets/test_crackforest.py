"""CrackForest: MATLAB masks and their values, images without masks, bad files, the real data."""

from __future__ import annotations

import io
import logging
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tests.datasets.raw_files import (
    assert_package,
    assert_reasons,
    build,
    encode,
    failure,
    read,
    snapshot,
    warnings,
    write_files,
    write_zip,
)
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.crackforest import crackforest_dataset_builder, layouts, mat_size
from uaps_jax.datasets.crackforest.mat_masks import read_segmentation

Builder = crackforest_dataset_builder.Builder

ROWS = {0: 2, 1: 3, 2: 4}


def image(seed: int, size=(24, 20)) -> bytes:
    return encode(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8), "JPEG")


def values_of(rows=ROWS, size=(24, 20)) -> np.ndarray:
    values = np.ones(size, np.uint8)
    for row, value in rows.items():
        values[row] = value
    return values


def mat(values: np.ndarray, compress: bool = True) -> bytes:
    file = io.BytesIO()
    truth = {"Segmentation": values, "Boundaries": np.zeros_like(values)}
    scipy.io.savemat(file, {"groundTruth": truth}, do_compression=compress)
    return file.getvalue()


def official() -> dict[str, bytes]:
    return {
        "image/001.jpg": image(1),
        "image/002.jpg": image(2),
        "image/328.jpg": image(3, (20, 24)),
        "groundTruth/001.mat": mat(values_of()),
        "groundTruth/002.mat": mat(values_of({5: 2}), compress=False),
        "seg/001.seg": b"x",
    }


def test_an_array_that_claims_to_be_enormous_is_refused():
    data = bytearray(mat(values_of(), compress=False))
    # The tag, the flags, and the tag of the dimensions precede the first of them.
    struct.pack_into("<ii", data, 128 + 8 + 16 + 8, 2**15, 2**15)
    with pytest.raises(UnreadableError, match="an array of 1073741824 numbers"):
        read_segmentation(bytes(data))


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def builder(tmp_path: Path, config: str = "crack") -> Builder:
    return Builder(config=config, data_dir=tmp_path / "built")


@pytest.mark.parametrize("place", ["zip", "", "CrackForest-dataset-master", "CrackForest"])
def test_builds_from_every_layout(place, raw, tmp_path):
    if place == "zip":
        write_zip(raw / "any name.zip", official(), "somewhere/")
    else:
        write_files(raw / place, official())
    before = snapshot(raw)

    built = build(builder(tmp_path), raw)

    assert snapshot(raw) == before, "the raw data was touched"
    assert built.info.features["mask"].names == ["background", "crack"]
    ((split, examples),) = read(built).items()
    assert split == "train"
    assert {n: e["has_mask"] for n, e in examples.items()} == {"001": 1, "002": 1, "328": 0}
    assert sorted(e["group"] for e in examples.values()) == [0, 1, 2]
    np.testing.assert_array_equal(examples["001"]["mask"], values_of() == 2)
    np.testing.assert_array_equal(examples["002"]["mask"], values_of({5: 2}) == 2)
    assert examples["328"]["image"].shape == (20, 24, 3)
    assert examples["328"]["mask"].shape == (20, 24)
    assert (examples["328"]["mask"] == 255).all()
    assert "tensorflow" not in sys.modules


def test_enclosed_regions_can_be_left_without_a_label(raw, tmp_path):
    write_files(raw, official())
    examples = read(build(builder(tmp_path, "crack_regions_ignored"), raw))["train"]
    expected = np.zeros((24, 20), np.uint8)
    expected[0], expected[1:3] = 1, 255
    np.testing.assert_array_equal(examples["001"]["mask"], expected)


def test_the_default_is_crack_against_all_else():
    assert [c.name for c in Builder.BUILDER_CONFIGS] == ["crack", "crack_regions_ignored"]


@pytest.mark.parametrize("archived", [False, True])
def test_all_bad_files_are_in_one_report_and_nothing_is_built(archived, raw, tmp_path):
    good = mat(values_of())
    files = official() | {f"image/{i}.jpg": image(0) for i in range(10, 16)}
    files |= {
        "groundTruth/10.mat": good[: len(good) // 2],
        "groundTruth/11.mat": b"",
        "groundTruth/12.mat": mat(values_of({0: 5, 1: 0})),
        "groundTruth/13.mat": mat(values_of(size=(10, 20))),
        "groundTruth/14.mat": b"no MATLAB file at all, only text" * 10,
        "image/15.jpg": image(0)[:300],
        "groundTruth/16.mat": good,
    }
    if archived:
        write_zip(raw / "cracks.zip", files)
    else:
        write_files(raw, files)
    assert_reasons(
        failure(builder(tmp_path), raw),
        {
            "10.mat": "cannot be read",
            "11.mat": "empty",
            "12.mat": "holds the values 0, 5; known are 1 (background)",
            "13.mat": "20x10",
            "14.mat": "cannot be read",
            "15.jpg": "cannot be read",
            "16.mat": "missing image",
        },
    )


class TestReadSegmentation:
    def test_returns_the_values(self):
        np.testing.assert_array_equal(read_segmentation(mat(values_of())), values_of())
        as_float = read_segmentation(mat(values_of().astype(float)))
        assert as_float.dtype == np.uint8

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"other": 1}, "holds no groundTruth.Segmentation"),
            ({"groundTruth": 1}, "holds no groundTruth.Segmentation"),
            ({"groundTruth": {"Boundaries": 1}}, "holds no groundTruth.Segmentation"),
            ({"groundTruth": {"Segmentation": np.ones((2, 3, 4))}}, "shape (2, 3, 4)"),
            ({"groundTruth": {"Segmentation": "text"}}, "type"),
            ({"groundTruth": {"Segmentation": np.full((2, 3), 1.5)}}, "values 1.5;"),
            ({"groundTruth": {"Segmentation": np.full((2, 3), np.nan)}}, "values nan;"),
        ],
    )
    def test_anything_else_is_refused(self, content, words):
        file = io.BytesIO()
        scipy.io.savemat(file, content)
        with pytest.raises(UnreadableError) as caught:
            read_segmentation(file.getvalue())
        assert words in str(caught.value)

    @pytest.mark.parametrize("compress", [True, False])
    def test_no_truncation_goes_unnoticed_or_breaks_the_build(self, compress):
        data = mat(values_of(), compress)
        for length in range(0, len(data), 7):
            try:
                read_segmentation(data[:length])
            except UnreadableError:
                continue
            # Only what comes after the segmentation may be lacking.
            np.testing.assert_array_equal(read_segmentation(data[:length]), values_of())


def test_warns_when_the_counts_are_not_the_official_ones(raw, tmp_path, caplog):
    write_files(raw, official())
    with caplog.at_level(logging.WARNING, "absl"):
        build(builder(tmp_path), raw)
    (warning,) = warnings(caplog)
    assert (
        "3 images, 2 of them with an annotation; the complete data set has 155 and 118" in warning
    )


def test_missing_raw_data_are_reported_with_the_folders_searched_and_the_source(raw, tmp_path):
    (raw / "readme.txt").write_text("x")
    report = str(failure(builder(tmp_path), raw))
    for part in (str(raw), "*.zip", "CrackForest", "https://github.com/cuilimeng/CrackForest"):
        assert part in report
    assert "non-commercial" in report


def test_folder_has_what_tfds_expects():
    assert_package(Path(crackforest_dataset_builder.__file__).parent)


# The complete data set, where somebody has put it.

PIXELS = {1: 17_710_362, 2: 292_885, 3: 120_201, 4: 1_352}


@pytest.fixture(scope="module")
def archive(data_dir) -> Path:
    if not (data_dir / "CrackForest-dataset-master.zip").exists():
        pytest.skip(f"CrackForest-dataset-master.zip is not in {data_dir}")
    return data_dir


def test_real_values(archive):
    result = layouts.find(archive)
    examples, problems = layouts.examples(result)
    assert not problems
    with result.tree.reading() as read_file:
        masks = [read_segmentation(read_file(e.mask)) for e in examples if e.mask]
    assert len(masks) == 118
    assert sum(mask.max() > 2 for mask in masks) == 22
    counts = sum(np.bincount(mask.ravel(), minlength=5) for mask in masks)
    assert dict(enumerate(counts.tolist())) == {0: 0, **PIXELS}


@pytest.mark.parametrize(
    ("config", "ignored"), [("crack", 0), ("crack_regions_ignored", PIXELS[3] + PIXELS[4])]
)
def test_real_build(config, ignored, archive, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "absl"):
        examples = read(build(builder(tmp_path, config), archive))["train"]
    assert not warnings(caplog)
    masked = {name: e for name, e in examples.items() if e["has_mask"]}
    assert (len(masked), len(examples)) == (118, 155)
    assert sum((e["mask"] == 1).sum() for e in masked.values()) == PIXELS[2]
    assert sum((e["mask"] == 255).sum() for e in masked.values()) == ignored
    upright = {name for name, e in examples.items() if e["image"].shape == (480, 320, 3)}
    assert upright == {"328", "329"}
    assert not upright & masked.keys()
    others = {e["image"].shape for name, e in examples.items() if name not in upright}
    assert others == {(320, 480, 3)}


def nested_cells(depth: int, compress: bool) -> bytes:
    value = np.ones((1, 1))
    for _ in range(depth):
        value = np.array([[value, None]], object)[:, :1]
    file = io.BytesIO()
    scipy.io.savemat(file, {"groundTruth": value}, do_compression=compress)
    return file.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_in_arrays_are_not_followed_to_any_depth(compress):
    with pytest.raises(UnreadableError, match=r"holds no groundTruth\.Segmentation"):
        read_segmentation(nested_cells(20, compress))
    with pytest.raises(UnreadableError, match="holds more than 1000 arrays"):
        read_segmentation(nested_cells(400, compress))


def test_depth_behind_a_variable_of_a_false_size_is_seen():
    data = bytearray(nested_cells(400, False))
    data[132:136] = (8).to_bytes(4, "little")
    with pytest.raises(UnreadableError, match="holds more than 1000 arrays"):
        read_segmentation(bytes(data))


def test_files_that_are_too_large_are_not_unpacked(monkeypatch):
    data = mat(values_of())
    assert read_segmentation(data).shape == (24, 20)
    monkeypatch.setattr(mat_size, "MOST_BYTES", 600)
    assert len(data) < 600
    with pytest.raises(UnreadableError, match="more than 600 bytes unpacked"):
        read_segmentation(data)
    monkeypatch.setattr(mat_size, "MOST_BYTES", 100)
    with pytest.raises(UnreadableError, match="bytes; at most 100 are read"):
        read_segmentation(data)


def test_another_version_of_matlab_is_refused():
    file = io.BytesIO()
    scipy.io.savemat(file, {"groundTruth": values_of()}, format="4")
    with pytest.raises(UnreadableError, match="cannot be read as a MATLAB 5 file"):
        read_segmentation(file.getvalue())
