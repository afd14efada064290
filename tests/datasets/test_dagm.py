"""DAGM 2007: layouts, the official lists, both configs, bad files, the samples."""

from __future__ import annotations

import logging
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.raw_files import (
    assert_package,
    assert_reasons,
    build,
    failure,
    mask_of,
    picture,
    read,
    snapshot,
    warnings,
    write_files,
    write_zip,
)
from uaps_jax.datasets.dagm import dagm_dataset_builder, labels, layouts
from uaps_jax.datasets.file_trees import Folder, Union

Builder = dagm_dataset_builder.Builder

# Class -> half -> id -> whether there is a defect. Class 3 is not one of the six.
IMAGES: Mapping[int, Mapping[str, Mapping[str, bool]]] = {
    1: {"Train": {"0576": True, "0577": False}, "Test": {"0001": True}},
    3: {"Train": {"0576": True}, "Test": {"0001": False}},
    6: {"Train": {"0576": True}, "Test": {"0001": True, "0002": False}},
}
ALL = {
    half.lower(): {
        f"cl{number}_{id_}": (number, defect)
        for number, halves in IMAGES.items()
        for id_, defect in halves[half].items()
    }
    for half in ("Train", "Test")
}


def listing(rows: Mapping[str, bool]) -> bytes:
    """A Labels.txt as the official ones are, byte for byte."""
    lines = ["1"]
    for id_, defect in rows.items():
        end = f"{id_}_label.PNG" if defect else "0\t"
        lines.append(f"{id_}\t{int(defect)}\t{id_}.PNG\t0\t{end}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def official(numbers=tuple(IMAGES), lists: bool = True) -> dict[str, bytes]:
    files = {}
    for number in numbers:
        for half, rows in IMAGES[number].items():
            folder = f"Class{number}/{half}"
            for id_, defect in rows.items():
                files[f"{folder}/{id_}.PNG"] = picture(number)
                if defect:
                    files[f"{folder}/Label/{id_}_label.PNG"] = mask_of({3: 255, 4: 128, 5: 127})
            if lists:
                files[f"{folder}/Label/Labels.txt"] = listing(rows)
    return files


def pool(root: str = "DAGM") -> dict[str, bytes]:
    files = {}
    for number, label in ((1, 1), (6, 3)):
        name = f"cl{number}_0602"
        files[f"{root}/Train/Images/{name}.PNG"] = picture(number)
        files[f"{root}/Train/Labels/{name}.PNG"] = mask_of({3: label, 4: label})
    return files


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def builder(tmp_path: Path, config: str = "six_defective") -> Builder:
    return Builder(config=config, data_dir=tmp_path / "built")


def assert_ids(example: dict, label: int) -> None:
    expected = np.zeros((24, 20), np.uint8)
    expected[3:5] = label
    np.testing.assert_array_equal(example["mask"], expected)
    assert example["image"].shape == (24, 20, 3)
    assert example["has_mask"] == 1


SIX_IDS = {1: 1, 6: 3}
PLACES = ("zip", "", "DAGM2007", "DAGM", "data/DAGM_data")


@pytest.mark.parametrize("place", PLACES)
def test_six_defective_from_the_official_layout(place, raw, tmp_path):
    if place == "zip":
        write_zip(raw / "any name.zip", official(), "somewhere/")
    else:
        write_files(raw / place, official())
    before = snapshot(raw)

    built = build(builder(tmp_path), raw)

    assert snapshot(raw) == before, "the raw data was touched"
    names = ["background", "class1", "class2", "class6", "class7", "class9", "class10"]
    assert built.info.features["mask"].names == names
    splits = read(built)
    groups = []
    for split, images in ALL.items():
        wanted = {n: SIX_IDS[number] for n, (number, d) in images.items() if d and number != 3}
        assert splits[split].keys() == wanted.keys()
        for name, label in wanted.items():
            assert_ids(splits[split][name], label)
            groups.append(splits[split][name]["group"])
    assert sorted(groups) == [0, 1, 2, 3]
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("lists", [True, False])
def test_ten_knows_that_images_without_a_mask_file_have_no_defect(lists, raw, tmp_path):
    write_zip(raw / "DAGM2007.zip", official(lists=lists))
    built = build(builder(tmp_path, "ten"), raw)
    assert built.info.features["mask"].names == ["background", *(f"class{n}" for n in range(1, 11))]
    splits = read(built)
    for split, images in ALL.items():
        assert splits[split].keys() == images.keys()
        for name, (number, defect) in images.items():
            assert_ids(splits[split][name], number if defect else 0)


def test_ten_defective_are_the_images_of_ten_with_a_defect(raw, tmp_path):
    write_zip(raw / "DAGM2007.zip", official())
    splits = read(build(builder(tmp_path, "ten_defective"), raw))
    for split, images in ALL.items():
        assert splits[split].keys() == {name for name, (_, defect) in images.items() if defect}
        for name, example in splits[split].items():
            assert_ids(example, images[name][0])


def test_archives_of_single_classes_are_one_data_set(raw, tmp_path):
    for number in IMAGES:
        write_zip(raw / f"Class{number}.zip", official([number]), f"copy {number}/")
    splits = read(build(builder(tmp_path, "ten"), raw))
    assert {split: e.keys() for split, e in splits.items()} == {s: i.keys() for s, i in ALL.items()}


def test_a_bad_file_is_named_in_the_archive_that_holds_it(raw, tmp_path):
    write_zip(raw / "Class1.zip", official([1]))
    write_zip(raw / "Class6.zip", official([6]) | {"Class6/Test/Label/0001_label.PNG": b"x"})
    report = str(failure(builder(tmp_path), raw))
    assert f"{raw}/Class6.zip/Class6/Test/Label/0001_label.PNG: cannot be read" in report


@pytest.mark.parametrize("part", ["Class1/Train/0577.PNG", "Class1/Train/Label/0576_label.PNG"])
def test_a_class_in_two_archives_is_ambiguous(part, raw, tmp_path):
    write_zip(raw / "a.zip", official([1]))
    write_zip(raw / "b.zip", official([6]) | {part: official([1])[part]})
    report = str(failure(builder(tmp_path), raw))
    assert "also in" in report
    assert "Leave only one" in report


def test_official_and_pool_archives_are_ambiguous(raw, tmp_path):
    write_zip(raw / "a.zip", official())
    write_zip(raw / "b.zip", pool())
    assert "Leave only one" in str(failure(builder(tmp_path), raw))


@pytest.mark.parametrize("place", ["zip", "", "data"])
@pytest.mark.parametrize("root", ["DAGM", "DAGM_data"])
def test_the_uaps_pool(root, place, raw, tmp_path):
    if place == "zip":
        write_zip(raw / "pool.zip", pool(root), "x/")
    else:
        write_files(raw / place, pool(root))
    ((split, examples),) = read(build(builder(tmp_path), raw)).items()
    assert (split, examples.keys()) == ("train", {"cl1_0602", "cl6_0602"})
    assert_ids(examples["cl1_0602"], 1)
    assert_ids(examples["cl6_0602"], 3)


def test_the_uaps_pool_is_not_the_ten_classes(raw, tmp_path):
    write_files(raw, pool())
    assert "no DAGM 2007 found" in str(failure(builder(tmp_path, "ten"), raw))


def test_the_uaps_pool_is_checked_by_its_names(raw, tmp_path):
    files = pool()
    files["DAGM/Train/Labels/cl6_0602.PNG"] = mask_of({3: 6})
    for name in ("cl3_0001", "cl1_0001", "cl1_0002"):
        files[f"DAGM/Train/Images/{name}.PNG"] = picture(0)
    files["DAGM/Train/Labels/cl3_0001.PNG"] = mask_of({3: 1})
    files["DAGM/Train/Labels/cl1_0001.PNG"] = mask_of({3: 255})
    files["DAGM/Train/Labels/cl2_0003.PNG"] = mask_of({3: 2})
    write_files(raw, files)
    assert_reasons(
        failure(builder(tmp_path), raw),
        {
            "cl6_0602.PNG": "the mask holds the ids 6; for class 6 expected are 0 and 3",
            "cl3_0001.PNG": "class 3 is not one of the six",
            "cl1_0001.PNG": "the mask holds the ids 255",
            "cl1_0002.PNG": "missing mask",
            "cl2_0003.PNG": "missing image",
        },
    )


@pytest.mark.parametrize("archived", [False, True])
def test_all_bad_files_are_in_one_report_and_nothing_is_built(archived, raw, tmp_path):
    files = official(lists=False) | {
        "Class1/Train/Label/0600_label.PNG": mask_of({3: 255}),
        "Class1/Train/0601.PNG": picture(0)[:200],
        "Class1/Train/Label/0601_label.PNG": mask_of({3: 255}),
        "Class1/Train/0602.PNG": picture(0),
        "Class1/Train/Label/0602_label.PNG": mask_of({3: 255}, (10, 20)),
        "Class1/Train/0603.PNG": picture(0),
        "Class1/Train/Label/0603_label.PNG": mask_of({3: 1}),
        "Class1/Train/Label/0604.PNG": mask_of({3: 255}),
        "Class6/Train/0001.PNG": picture(0),
        "Class6/Train/Label/0001_label.PNG": mask_of({3: 255}),
    }
    if archived:
        write_zip(raw / "DAGM.zip", files)
    else:
        write_files(raw, files)
    # Class 6 has an image 0001 in Test already, so the one in Train has no name of its own.
    assert_reasons(
        failure(builder(tmp_path), raw),
        {
            "0600_label.PNG": "missing image",
            "0601.PNG": "cannot be read",
            "0602_label.PNG": "20x10",
            "0603_label.PNG": "its highest value is 1",
            "0604.PNG": "their names are like 0002_label.PNG",
            "0001.PNG": "has the name of",
        },
    )


def test_contradictions_between_list_and_files(raw, tmp_path):
    files = official()
    folder = "Class1/Train"
    files[f"{folder}/Label/Labels.txt"] = listing(
        {"0576": False, "0577": True, "0580": False, "0581": True}
    )
    files[f"{folder}/0590.PNG"] = picture(0)
    files[f"{folder}/Label/0591_label.PNG"] = mask_of({3: 255})
    write_files(raw, files)
    error = failure(builder(tmp_path, "ten"), raw)
    result = {
        (Path(path).name, reason.split(":")[0].split(",")[0]) for path, reason in error.problems
    }
    listed = str(raw / folder / "Label/Labels.txt")
    assert result == {
        ("0576_label.PNG", "a mask"),
        ("0577_label.PNG", "missing mask"),
        ("0580.PNG", "missing image"),
        ("0581.PNG", "missing image"),
        ("0590.PNG", f"not listed in {listed}"),
        ("0591_label.PNG", f"not listed in {listed}"),
        ("0591_label.PNG", "missing image"),
    }


@pytest.mark.parametrize("config", ["six_defective", "ten"])
def test_a_lost_mask_is_noticed_where_there_is_a_list(config, raw, tmp_path):
    files = official()
    del files["Class6/Test/Label/0001_label.PNG"]
    write_files(raw, files)
    assert_reasons(failure(builder(tmp_path, config), raw), {"0001_label.PNG": "has a defect"})


def test_a_bad_list_is_named_with_file_and_lines(raw, tmp_path):
    files = official()
    files["Class1/Train/Label/Labels.txt"] = b"1\r\n0576\t2\t0576.PNG\t0\t0\t\r\n0577 1\r\n"
    write_files(raw, files)
    report = str(failure(builder(tmp_path), raw))
    assert report.count("Class1/Train/Label/Labels.txt: line") == 2
    assert "Labels.txt: line 2: expected" in report
    assert "Labels.txt: line 3: expected" in report


def test_warns_when_the_counts_are_not_the_official_ones(raw, tmp_path, caplog):
    write_files(raw, official())
    with caplog.at_level(logging.WARNING, "absl"):
        build(builder(tmp_path), raw)
    (warning,) = warnings(caplog)
    assert "Class1/Train 2 images, 1 of them with a defect, of 575 and 79;" in warning
    assert "Class7/Test 0 images, 0 of them with a defect, of 1150 and 150;" in warning
    assert "Class3" not in warning


def test_missing_raw_data_are_reported_with_the_folders_searched_and_the_source(raw, tmp_path):
    write_zip(raw / "labels.zip", {"Class1/Train/Label/Labels.txt": listing({"0576": False})})
    report = str(failure(builder(tmp_path), raw))
    for part in (str(raw), "*.zip", "data/DAGM", "https://zenodo.org/records/8086136"):
        assert part in report


def test_the_default_is_the_uaps_study():
    assert [config.name for config in Builder.BUILDER_CONFIGS] == [
        "six_defective",
        "ten_defective",
        "ten",
    ]


def test_folder_has_what_tfds_expects():
    assert_package(Path(dagm_dataset_builder.__file__).parent)


class TestLabels:
    def test_reads_the_official_form(self):
        rows, malformed = labels.parse(listing({"0001": False, "0002": True}))
        assert rows == [labels.Row("0001", False), labels.Row("0002", True)]
        assert not malformed

    @pytest.mark.parametrize(
        "line",
        [
            "0002\t2\t0002.PNG\t0\t0\t",
            "0002\t1\t0002.PNG\t0\t0\t",
            "0002\t0\t0002.PNG\t0\t0002_label.PNG",
            "0002\t1\t0002.PNG\t0\t0003_label.PNG",
            "0002\t0\t0003.PNG\t0\t0\t",
            "0002\t0\t0002.PNG\t1\t0\t",
            "0002 0 0002.PNG 0 0",
            "0002\t0\t0002.PNG",
            "",
            "1",
        ],
    )
    def test_any_other_line_is_malformed(self, line):
        data = listing({"0001": False}) + f"{line}\r\n".encode()
        rows, malformed = labels.parse(data)
        assert [row.id for row in rows] == ["0001"]
        assert [(m.line, repr(line) in m.reason) for m in malformed] == [(3, True)]

    def test_a_second_row_of_an_id_is_malformed(self):
        rows, malformed = labels.parse(listing({"0001": False}) + listing({"0001": True})[3:])
        assert rows == [labels.Row("0001", False)]
        assert malformed == [labels.Malformed(3, "lists 0001 for the second time")]

    @pytest.mark.parametrize("data", [b"", b"2\r\n", b"0001\t0\t0001.PNG\t0\t0\t\r\n", b"\xff\r\n"])
    def test_the_first_line_is_a_one(self, data):
        assert [m.line for m in labels.parse(data)[1]] == [1]


class TestUnion:
    def test_offers_the_files_of_all_trees(self, tmp_path):
        write_files(tmp_path / "a", {"x/2.png": b"a2"})
        write_files(tmp_path / "b", {"x/1.png": b"b1", "y/3.png": b"b3"})
        union = Union([Folder(tmp_path / "a"), Folder(tmp_path / "b")])
        assert union.files("x") == ["x/1.png", "x/2.png"]
        assert union.files("z") == []
        with union.reading() as read_file:
            assert [read_file(f) for f in ("x/1.png", "x/2.png", "y/3.png")] == [
                b"b1",
                b"a2",
                b"b3",
            ]
            with pytest.raises(FileNotFoundError):
                read_file("y/4.png")
        assert union.label("y/3.png") == str(tmp_path / "b/y/3.png")
        assert union.label("y/4.png") == str(tmp_path / "b/y/4.png")
        assert union.label("y/deeper/4.png") == str(tmp_path / "b/y/deeper/4.png")
        assert union.label("") == f"{tmp_path / 'a'}, {tmp_path / 'b'}"


# What there is of the real data, where somebody has put it.

# Images and masks by class and half.
SAMPLES = {
    (1, "Train"): (5, 3),
    (1, "Test"): (2, 2),
    (2, "Train"): (5, 3),
    (2, "Test"): (2, 1),
    (3, "Test"): (2, 2),
    (4, "Train"): (5, 3),
    (4, "Test"): (1, 1),
    (5, "Test"): (1, 1),
    (6, "Test"): (1, 1),
}


@pytest.fixture
def samples(data_dir, raw) -> Path:
    """Only the samples: the other archives could hide an error."""
    path = data_dir / "DAGM2007_samples.zip"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {data_dir}")
    (raw / path.name).symlink_to(path)
    return raw


def test_real_samples(samples, tmp_path):
    splits = read(build(builder(tmp_path, "ten"), samples))
    counts: dict[tuple[int, str], tuple[int, int]] = {}
    for split, examples in splits.items():
        for name, example in examples.items():
            number = int(name.split("_")[0].removeprefix("cl"))
            assert example["image"].shape == (512, 512, 3)
            assert example["has_mask"] == 1
            assert set(np.unique(example["mask"])) <= {0, number}
            key = (number, split.capitalize())
            images, masks = counts.get(key, (0, 0))
            counts[key] = (images + 1, masks + bool(example["mask"].any()))
    assert counts == SAMPLES
    defective = read(build(builder(tmp_path), samples))
    assert {split: len(examples) for split, examples in defective.items()} == {
        "train": 6,
        "test": 4,
    }
    assert set(np.unique(defective["test"]["cl6_0021"]["mask"])) == {0, 3}


def test_real_lists(data_dir):
    path = data_dir / "DAGM2007_labels.zip"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {data_dir}")
    totals = {}
    with zipfile.ZipFile(path) as archive:
        for split in layouts.SPLITS:
            defective = {}
            images = {}
            ids: dict[int, list[str]] = {}
            for number in dagm_dataset_builder.TEN:
                data = archive.read(f"Class{number}/{split}/Label/Labels.txt")
                rows, malformed = labels.parse(data)
                assert not malformed
                ids[number] = [row.id for row in rows]
                images[number] = len(rows)
                defective[number] = sum(row.defective for row in rows)
            assert images == dagm_dataset_builder.OFFICIAL_COUNTS
            assert defective == dagm_dataset_builder.OFFICIAL_DEFECTIVE[split]
            totals[split] = (sum(images.values()), sum(defective.values()))
            for number, listed in ids.items():
                first = 1 if split == "Test" else 1 + images[number]
                assert listed == [f"{first + i:04d}" for i in range(images[number])]
    assert totals == {"Train": (8050, 1046), "Test": (8050, 1054)}


def test_real_lists_name_the_1350(data_dir):
    listed = data_dir / "splits/dagm/defective_1350.txt"
    path = data_dir / "DAGM2007_labels.zip"
    if not (listed.exists() and path.exists()):
        pytest.skip("the lists are not there")
    names = set()
    with zipfile.ZipFile(path) as archive:
        for number in dagm_dataset_builder.SIX:
            for split in layouts.SPLITS:
                rows, _ = labels.parse(archive.read(f"Class{number}/{split}/Label/Labels.txt"))
                names |= {f"cl{number}_{row.id}" for row in rows if row.defective}
    assert len(names) == 1350
    assert names == set(listed.read_text().split())
