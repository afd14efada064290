"""KolektorSDD2, on files in its layout: stray copies, the md5, both configs, bad files."""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.raw_files import (
    assert_package,
    assert_reasons,
    build,
    encode,
    failure,
    mask_of,
    read,
    snapshot,
    warnings,
    write_files,
    write_zip,
)
from uaps_jax.datasets.ksdd2 import ksdd2_dataset_builder, layouts

Builder = ksdd2_dataset_builder.Builder

# Name -> whether there is a defect; one id is in both splits.
NAMES = {"train/10301": True, "train/10302": False, "test/20000": True, "test/10301": False}
WHITE = {3: 255, 4: 128, 5: 127}


def image(seed: int) -> bytes:
    return encode(np.random.default_rng(seed).integers(0, 256, (24, 20, 3), np.uint8))


def mask(defect: bool) -> bytes:
    return mask_of(WHITE if defect else {})


def official() -> dict[str, bytes]:
    files = {"train/10301 (copy).png": b"x", "train/10301_GT (copy).png": b"x"}
    for seed, (name, defect) in enumerate(NAMES.items()):
        files[f"{name}.png"] = image(seed)
        files[f"{name}_GT.png"] = mask(defect)
    return files


def uaps(root: str = "KoSDD2") -> dict[str, bytes]:
    files = {}
    for seed, (name, defect) in enumerate(NAMES.items()):
        split, id_ = name.split("/")
        files[f"{root}/{split.capitalize()}/Images/{id_}.png"] = image(seed)
        files[f"{root}/{split.capitalize()}/Labels/{id_}.png"] = mask(defect)
    return files


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def builder(tmp_path: Path, config: str = "defective") -> Builder:
    return Builder(config=config, data_dir=tmp_path / "built")


PLACES = {
    "archive": (official, "zip"),
    "extracted": (official, ""),
    "extracted in its folder": (official, "KolektorSDD2"),
    "UAPS": (uaps, ""),
    "UAPS in data": (uaps, "data"),
    "UAPS as its README calls it": (lambda: uaps("KoSDD2_data"), ""),
    "UAPS in an archive": (uaps, "zip"),
}


@pytest.mark.parametrize("config", ["defective", "all"])
@pytest.mark.parametrize("case", PLACES)
def test_builds_from_every_layout(case, config, raw, tmp_path):
    files, place = PLACES[case]
    if place == "zip":
        write_zip(raw / "any name.zip", files(), "somewhere/")
    else:
        write_files(raw / place, files())
    before = snapshot(raw)

    built = build(builder(tmp_path, config), raw)

    assert snapshot(raw) == before, "the raw data was touched"
    assert built.info.features["mask"].names == ["background", "defect"]
    splits = read(built)
    groups = []
    for split in ("train", "test"):
        wanted = {
            name: defect
            for name, defect in NAMES.items()
            if name.startswith(split) and (defect or config == "all")
        }
        assert splits[split].keys() == wanted.keys()
        for name, defect in wanted.items():
            example = splits[split][name]
            expected = np.zeros((24, 20), np.uint8)
            expected[3:5] = defect
            np.testing.assert_array_equal(example["mask"], expected)
            assert example["has_mask"] == 1
            groups.append(example["group"])
    assert sorted(groups) == list(range(len(groups)))
    assert "tensorflow" not in sys.modules


class TestOfficialArchive:
    def test_another_content_under_its_name_is_refused(self, raw, tmp_path):
        write_zip(raw / "KolektorSDD2.zip", official())
        md5 = hashlib.md5((raw / "KolektorSDD2.zip").read_bytes()).hexdigest()
        report = str(failure(builder(tmp_path), raw))
        assert f"its md5 is {md5}, not 1ed0f628122776ace4965afa30dfe316" in report
        assert "Download it again" in report
        assert "give it another name" in report

    def test_the_right_content_is_accepted_without_a_warning(
        self, raw, tmp_path, monkeypatch, caplog
    ):
        write_zip(raw / "KolektorSDD2.zip", official())
        md5 = hashlib.md5((raw / "KolektorSDD2.zip").read_bytes()).hexdigest()
        monkeypatch.setattr(layouts, "ZIP_MD5", md5)
        with caplog.at_level(logging.WARNING, "absl"):
            build(builder(tmp_path), raw)
        assert "is not checked" not in caplog.text

    def test_another_name_is_accepted_with_a_warning(self, raw, tmp_path, caplog):
        write_zip(raw / "mine.zip", official())
        with caplog.at_level(logging.WARNING, "absl"):
            build(builder(tmp_path), raw)
        assert "mine.zip is not called KolektorSDD2.zip, so it is not checked" in caplog.text


def test_warns_when_the_counts_are_not_the_official_ones(raw, tmp_path, caplog):
    write_files(raw, official())
    with caplog.at_level(logging.WARNING, "absl"):
        build(builder(tmp_path), raw)
        build(builder(tmp_path, "all"), raw)
    result = warnings(caplog)
    assert len(result) == 4
    assert "1 images with a defect in the train split, the complete data set has 246;" in result[0]
    assert "1 images with a defect in the test split, the complete data set has 110;" in result[1]
    assert "2 images in the train split, the complete data set has 2331;" in result[2]
    assert "2 images in the test split, the complete data set has 1004;" in result[3]


@pytest.mark.parametrize("archived", [False, True])
def test_all_bad_files_are_in_one_report_and_nothing_is_built(archived, raw, tmp_path):
    files = official() | {
        "train/1.png": image(0),
        "train/2_GT.png": mask(True),
        "train/3.png": image(0)[:100],
        "train/3_GT.png": mask(True),
        "train/4.png": image(0),
        "train/4_GT.png": mask(True)[:40],
        "test/5.png": image(0),
        "test/5_GT.png": mask_of({0: 255}, (10, 20)),
        "test/6.png": image(0),
        "test/6_GT.png": mask_of({0: 1}),
    }
    if archived:
        write_zip(raw / "raw.zip", files)
    else:
        write_files(raw, files)
    assert_reasons(
        failure(builder(tmp_path), raw),
        {
            "1.png": "missing mask: expected",
            "2_GT.png": "missing image",
            "3.png": "cannot be read",
            "4_GT.png": "cannot be read",
            "5_GT.png": "20x10",
            "6_GT.png": "its highest value is 1",
        },
    )


def test_other_data_with_the_same_folders_are_not_taken(raw, tmp_path):
    other = {"train/1.png": image(0), "test/2.png": image(1)}
    write_zip(raw / "other.zip", other)
    write_files(raw, other)
    report = str(failure(builder(tmp_path), raw))
    assert report.count("no file in them is called *_GT.png") == 2
    write_zip(raw / "this.zip", official())
    assert len(read(build(builder(tmp_path), raw))["train"]) == 1


def test_two_archives_are_ambiguous(raw, tmp_path):
    write_zip(raw / "a.zip", official())
    write_zip(raw / "b.zip", uaps())
    assert "Leave only one" in str(failure(builder(tmp_path), raw))


def test_without_any_defect_there_is_nothing_to_build(raw, tmp_path):
    files = {name: data for name, data in official().items() if "10302" in name or "test" in name}
    files["test/20000_GT.png"] = mask(False)
    write_files(raw, files)
    assert "holds no image of ksdd2/defective" in str(failure(builder(tmp_path), raw))


def test_missing_raw_data_are_reported_with_the_folders_searched_and_the_source(raw, tmp_path):
    (raw / "readme.txt").write_text("x")
    report = str(failure(builder(tmp_path), raw))
    for part in (str(raw), "*.zip", "KoSDD2_data", "https://www.vicos.si"):
        assert part in report


def test_the_default_is_the_defective_subset():
    assert [config.name for config in Builder.BUILDER_CONFIGS] == ["defective", "all"]


def test_folder_has_what_tfds_expects():
    assert_package(Path(ksdd2_dataset_builder.__file__).parent)
