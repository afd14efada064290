"""Magnetic tiles: layouts, thresholds, empty masks, bad files, the groups, the real data."""

from __future__ import annotations

import csv
import io
import itertools
import logging
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.raw_files import (
    assert_package,
    assert_reasons,
    build,
    encode,
    failure,
    mask_of,
    picture,
    read,
    reasons,
    snapshot,
    warnings,
    write_files,
    write_zip,
)
from uaps_jax.datasets.binary_masks import read_binary
from uaps_jax.datasets.common import UnreadableError, read_image
from uaps_jax.datasets.mtiles import groups as tiles
from uaps_jax.datasets.mtiles import layouts, mtiles_dataset_builder, protocols

Builder = mtiles_dataset_builder.Builder

# Name -> class; two tiles, one of which one exposure shows without its defect, and an odd name.
TILES = {
    "exp1_num_10": "Blowhole",
    "exp2_num_20": "Free",
    "exp3_num_30": "Blowhole",
    "exp1_num_40": "Break",
    "exp1_num_5000": "Crack",
    "exp1_num_6000": "Fray",
    "exp1_num_7000": "Uneven",
    "exp2_num_7010": "Uneven",
    "exp1_num_300": "Free",
    "odd": "Break",
}
GROUPS = {
    "exp1_num_10": 0,
    "exp2_num_20": 0,
    "exp3_num_30": 0,
    "exp1_num_40": 1,
    "exp1_num_300": 2,
    "exp1_num_5000": 3,
    "exp1_num_6000": 4,
    "exp1_num_7000": 5,
    "exp2_num_7010": 5,
    "odd": -1,
}
FREE = {"exp2_num_20", "exp1_num_300"}
EMPTY = "exp2_num_7010"
# Rows of a mask: what the threshold is about.
GREYS = {0: 255, 1: 128, 2: 127, 3: 1}


def official() -> dict[str, bytes]:
    files = {}
    for seed, (name, class_) in enumerate(TILES.items()):
        clean = class_ == "Free" or name == EMPTY
        files[f"MT_{class_}/Imgs/{name}.jpg"] = picture(seed, kind="JPEG")
        files[f"MT_{class_}/Imgs/{name}.png"] = mask_of({} if clean else GREYS)
    return files


def uaps(root: str = "MTiles") -> dict[str, bytes]:
    files = {}
    for seed, (name, class_) in enumerate(TILES.items()):
        if name not in FREE:
            files[f"{root}/images/{name}.jpg"] = picture(seed, kind="JPEG")
            label = 0 if name == EMPTY else layouts.CLASSES[class_]
            files[f"{root}/labels/{name}.png"] = mask_of({0: label, 1: label})
    return files


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def builder(tmp_path: Path, config: str = "defective") -> Builder:
    return Builder(config=config, data_dir=tmp_path / "built")


def expected_ids(name: str, highest_background: int) -> np.ndarray:
    ids = np.zeros((24, 20), np.uint8)
    if TILES[name] != "Free" and name != EMPTY:
        for row, value in GREYS.items():
            if value > highest_background:
                ids[row] = layouts.CLASSES[TILES[name]]
    return ids


PLACES = {
    "archive": (official, "zip"),
    "extracted": (official, ""),
    "extracted in its folder": (official, "Magnetic-tile-defect-datasets.-master"),
    "UAPS": (uaps, ""),
    "UAPS in data": (uaps, "data"),
    "UAPS as its README calls it": (lambda: uaps("MTiles_data"), ""),
    "UAPS in an archive": (uaps, "zip"),
}


@pytest.mark.parametrize("case", PLACES)
def test_builds_from_every_layout(case, raw, tmp_path):
    files, place = PLACES[case]
    if place == "zip":
        write_zip(raw / "any name.zip", files(), "somewhere/")
    else:
        write_files(raw / place, files())
    before = snapshot(raw)

    built = build(builder(tmp_path), raw)

    assert snapshot(raw) == before, "the raw data was touched"
    assert built.info.features["mask"].names == list(mtiles_dataset_builder.LABELS)
    (split, examples), *others = read(built).items()
    assert (split, others) == ("train", [])
    assert examples.keys() == TILES.keys() - FREE - {EMPTY}
    for name, example in examples.items():
        assert example["image"].shape == (24, 20, 3)
        assert example["has_mask"] == 1
        np.testing.assert_array_equal(example["mask"], expected_ids(name, 127))
    together = defaultdict(set)
    for name, example in examples.items():
        together[example["group"]].add(name)
    assert together.pop(-1) == {"odd"}
    assert {"exp1_num_10", "exp3_num_30"} in together.values()
    assert len(together) == 5
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    ("config", "names", "threshold"),
    [
        ("defective", TILES.keys() - FREE - {EMPTY}, 127),
        ("all", TILES.keys(), 127),
        ("defective_above0", TILES.keys() - FREE - {EMPTY}, 0),
        ("all_above0", TILES.keys(), 0),
    ],
)
def test_configs(config, names, threshold, raw, tmp_path):
    write_files(raw, official())
    examples = read(build(builder(tmp_path, config), raw))["train"]
    assert examples.keys() == set(names)
    for name, example in examples.items():
        np.testing.assert_array_equal(example["mask"], expected_ids(name, threshold))
        assert example["group"] == GROUPS[name], "groups depend on the config"


def test_kinds_of_defects_can_be_one_class(raw, tmp_path):
    write_files(raw, official())
    built = build(builder(tmp_path, "all_merged"), raw)
    assert built.info.features["mask"].names == ["background", "defect"]
    for name, example in read(built)["train"].items():
        np.testing.assert_array_equal(example["mask"], expected_ids(name, 127) > 0)


def test_a_merged_mask_with_an_id_of_no_class_is_refused(raw, tmp_path):
    files = uaps()
    file = next(name for name in files if name.endswith(".png"))
    write_files(raw, files | {file: mask_of({0: 7})})
    [reason] = reasons(failure(builder(tmp_path, "all_merged"), raw)).values()
    assert "7" in reason, reason


def test_the_default_is_the_published_subset():
    assert Builder.BUILDER_CONFIGS[0].name == "defective"
    assert Builder.BUILDER_CONFIGS[0].threshold == 127


def test_defect_free_tiles_are_needed_only_where_they_are_used(raw, tmp_path):
    files = {name: data for name, data in official().items() if "MT_Free" not in name}
    write_files(raw, files)
    assert "MT_Free/Imgs" in str(failure(builder(tmp_path, "all"), raw))
    assert len(read(build(builder(tmp_path), raw))["train"]) == 7


def test_warns_when_the_count_is_not_the_official_one(raw, tmp_path, caplog):
    write_files(raw, official())
    with caplog.at_level(logging.WARNING, "absl"):
        build(builder(tmp_path), raw)
    (warning,) = warnings(caplog)
    assert "7 images with a defect, the complete data set has 388" in warning


def test_a_threshold_is_reported_as_not_applied_to_class_ids(raw, tmp_path, caplog):
    write_files(raw, uaps())
    with caplog.at_level(logging.WARNING, "absl"):
        build(builder(tmp_path, "defective_above0"), raw)
    assert "the threshold 0 of defective_above0 is not applied" in caplog.text


@pytest.mark.parametrize("archived", [False, True])
def test_all_bad_files_are_in_one_report_and_nothing_is_built(archived, raw, tmp_path):
    files = official()
    image, mask = files["MT_Crack/Imgs/exp1_num_5000.jpg"], mask_of(GREYS)

    def add(name: str, image_data: bytes | None, mask_data: bytes | None) -> None:
        for suffix, data in ((".jpg", image_data), (".png", mask_data)):
            if data is not None:
                files[f"{name}{suffix}"] = data

    colours = np.zeros((24, 20, 3), np.uint8)
    colours[0] = 255, 0, 0
    add("MT_Fray/Imgs/no_mask", image, None)
    add("MT_Fray/Imgs/no_image", None, mask)
    add("MT_Fray/Imgs/cut_image", image[:200], mask)
    add("MT_Break/Imgs/cut_mask", image, mask[:40])
    add("MT_Break/Imgs/wrong_size", image, mask_of(GREYS, (10, 20)))
    add("MT_Break/Imgs/class_ids", image, mask_of({0: 2}))
    add("MT_Break/Imgs/colours", image, encode(colours))
    add("MT_Crack/Imgs/exp1_num_40", image, mask)  # Also in MT_Break.
    add("MT_Free/Imgs/marked", image, mask)
    if archived:
        write_zip(raw / "tiles.zip", files)
    else:
        write_files(raw, files)
    assert_reasons(
        failure(builder(tmp_path, "all"), raw),
        {
            "no_mask.jpg": "missing mask",
            "no_image.png": "missing image",
            "cut_image.jpg": "cannot be read",
            "cut_mask.png": "cannot be read",
            "wrong_size.png": "20x10",
            "class_ids.png": "its highest value is 2",
            "colours.png": "colours",
            "exp1_num_40.jpg": "has the name of",
            "marked.png": "marks 40 pixels, but in MT_Free",
        },
    )


def test_a_wrong_id_in_the_uaps_layout_is_named(raw, tmp_path):
    write_files(raw, uaps() | {"MTiles/labels/odd.png": mask_of({0: 6})})
    assert_reasons(failure(builder(tmp_path), raw), {"odd.png": "holds the values 6;"})


def test_missing_raw_data_are_reported_with_the_folders_searched_and_the_source(raw, tmp_path):
    (raw / "readme.txt").write_text("x")
    report = str(failure(builder(tmp_path), raw))
    for part in (str(raw), "*.zip", "MTiles_data", "https://github.com/abin24/Magnetic-tile"):
        assert part in report


def test_folder_has_what_tfds_expects():
    assert_package(Path(mtiles_dataset_builder.__file__).parent)


class TestReadBinary:
    def test_colours_that_are_all_grey_will_do(self):
        values = np.array([[0, 127, 128, 255]], np.uint8)
        grey = np.repeat(values[:, :, None], 3, axis=2)
        np.testing.assert_array_equal(read_binary(encode(grey), 5), [[0, 0, 5, 5]])

    def test_a_mask_of_ids_is_not_taken_for_an_empty_one(self):
        with pytest.raises(UnreadableError, match="highest value is 127"):
            read_binary(mask_of({0: 127}), 1)
        assert not read_binary(mask_of({}), 1).any()
        assert read_binary(mask_of({0: 1}), 1, threshold=0).any()


def partition(names: list[str]) -> list[set[str]]:
    by_group = defaultdict(set)
    for name, group in tiles.groups(names).items():
        by_group[group].add(name)
    return [by_group[group] for group in sorted(by_group)]


class TestGroups:
    def test_rising_exposures_are_one_tile(self):
        names = ["exp1_num_5", "exp2_num_9", "exp6_num_20"]
        assert partition(names[::-1]) == [set(names)]

    def test_an_exposure_that_does_not_rise_starts_a_tile(self):
        assert partition(["exp1_num_5", "exp2_num_9", "exp2_num_30", "exp1_num_40"]) == [
            {"exp1_num_5", "exp2_num_9"},
            {"exp2_num_30"},
            {"exp1_num_40"},
        ]

    def test_a_shot_that_may_be_of_two_tiles_joins_them(self):
        names = ["exp1_num_5", "exp2_num_9", "exp2_num_30", "exp3_num_31"]
        assert partition(names) == [set(names)]

    @pytest.mark.parametrize(("later", "count"), [(600, 1), (601, 2)])
    def test_a_long_pause_starts_a_tile(self, later, count):
        assert len(partition(["exp1_num_1000", f"exp2_num_{1000 + later}"])) == count

    def test_two_tiles_shot_in_turns_are_one_group(self):
        names = ["exp1_num_10", "exp1_num_11", "exp2_num_12", "exp2_num_13", "exp1_num_14"]
        assert partition(names) == [set(names[:4]), {names[4]}]

    def test_a_tile_that_was_shot_again_is_one_group_with_the_shots_between(self):
        names = ["exp1_num_53011", "exp1_num_60000", "exp6_num_65067", "exp1_num_65068"]
        assert partition(names) == [{names[0], names[2]}, {names[1]}, {names[3]}]

    @pytest.mark.parametrize("name", ["exp1_num_", "exp1_num_5 (1)", "1", "xexp1_num_5"])
    def test_other_names_are_unknown(self, name):
        assert tiles.groups(["exp1_num_5", name]) == {"exp1_num_5": 0, name: -1}


# The complete data set, where somebody has put it.

ZIP = "Magnetic-tile-defect-datasets.-master.zip"
COUNTS = {"Blowhole": 115, "Break": 85, "Crack": 57, "Fray": 32, "Uneven": 103, "Free": 952}
SHARES = {
    "Blowhole": 0.150,
    "Break": 3.179,
    "Crack": 0.372,
    "Fray": 15.96,
    "Uneven": 21.69,
    "Free": 0,
}
EMPTY_OF_A_DEFECT = {
    "exp3_num_45042",
    "exp4_num_45057",
    "exp4_num_124690",
    "exp4_num_352527",
}


@pytest.fixture(scope="module")
def archive(data_dir) -> Path:
    if not (data_dir / ZIP).exists():
        pytest.skip(f"{ZIP} is not in {data_dir}")
    return data_dir


@pytest.fixture(scope="module")
def result(archive):
    return layouts.find(archive, free=True)


@pytest.fixture(scope="module")
def class_of(result) -> dict[str, str]:
    examples, problems = layouts.examples(result, free=True)
    assert not problems
    assert len({example.name for example in examples}) == len(examples)
    return {e.name: e.image.split("/")[0].removeprefix("MT_") for e in examples}


@pytest.fixture(scope="module")
def real(archive, tmp_path_factory) -> dict[str, dict]:
    data_dir = tmp_path_factory.mktemp("mtiles")
    return read(build(Builder(config="all", data_dir=data_dir), archive))["train"]


def test_real_pairs(class_of):
    assert Counter(class_of.values()) == COUNTS


def test_real_masks_above_127(real, class_of):
    pixels = {class_: np.zeros(6, int) for class_ in COUNTS}
    for name, example in real.items():
        pixels[class_of[name]] += np.bincount(example["mask"].ravel(), minlength=6)
    for class_, counts in pixels.items():
        assert set(np.flatnonzero(counts)) <= {0, layouts.CLASSES[class_]}
        share = 100 * counts[1:].sum() / counts.sum()
        # To the last of the four digits that are known.
        assert float(f"{share:.4g}") == pytest.approx(SHARES[class_], abs=5e-4), class_
    total = sum(pixels.values())
    assert round(100 * total[1:].sum() / total.sum(), 4) == 2.4785


def test_real_masks_above_0(result):
    examples, _ = layouts.examples(result, free=True)
    with result.tree.reading() as read_file:
        masks = [read_binary(read_file(e.mask), 1, threshold=0) for e in examples]
    share = sum(mask.sum(dtype=int) for mask in masks) / sum(mask.size for mask in masks)
    assert round(100 * share, 4) == 2.5383


def test_real_defective_are_the_published_388(real, class_of, archive, tmp_path):
    built = read(build(builder(tmp_path), archive))["train"]
    assert len(built) == 388
    defective = {name for name, class_ in class_of.items() if class_ != "Free"}
    assert defective - built.keys() == EMPTY_OF_A_DEFECT
    assert {name: e["group"] for name, e in built.items()} == {
        name: real[name]["group"] for name in built
    }
    listed = archive / "splits/mtiles/published_defective_388.txt"
    if listed.exists():
        assert built.keys() == set(listed.read_text().split())


class TestRealGroups:
    def test_counts(self, class_of):
        groups = tiles.groups(class_of)
        assert len(set(groups.values())) == 206
        assert -1 not in groups.values()
        classes = defaultdict(set)
        for name, group in groups.items():
            classes[group].add(class_of[name])
        assert sum(len(of_group) > 1 for of_group in classes.values()) == 13

    def test_nearly_all_runs_have_each_exposure_once(self, class_of):
        runs = tiles.runs(shot for shot in map(tiles.parse, class_of) if shot)
        exposures = [{shot.exposure for shot in run} - {0} for run in runs]
        assert (len(runs), exposures.count(set(range(1, 7)))) == (229, 217)

    def test_the_388_alone_are_divided_as_among_all(self, class_of):
        alone = [
            name
            for name, class_ in class_of.items()
            if class_ != "Free" and name not in EMPTY_OF_A_DEFECT
        ]
        within = tiles.groups(alone)
        among = tiles.groups(class_of)
        pairs = {(within[name], among[name]) for name in alone}
        assert len(pairs) == len(set(within.values())) == len({among[n] for n in alone}) == 65

    def test_join_and_never_divide_the_runs_within_folders(self, class_of):
        groups = tiles.groups(class_of)
        runs = folder_runs(class_of)
        assert len(set(runs.values())) == 255
        assert len({(runs[name], groups[name]) for name in class_of}) == 255

    def test_the_runs_within_folders_are_the_known_list(self, class_of, data_dir):
        listed = data_dir / "splits/mtiles/groups.csv"
        if not listed.exists():
            pytest.skip("groups.csv is not there")
        with listed.open(newline="") as file:
            known = {row["stem"]: row["group"] for row in csv.DictReader(file)}
        assert {
            name: f"{class_}_{run}" for name, (class_, run) in folder_runs(class_of).items()
        } == known

    def test_published_lists_divide_nearly_all_tiles(self, class_of):
        ppl = protocols.PROTOCOLS["ppl"].parts(dict.fromkeys(class_of, "train"))
        for group_of, counts in (
            (folder_runs(class_of), (79, 188)),
            (tiles.groups(class_of), (80, 191)),
        ):
            seen = {group_of[name] for name in ppl.train}
            leaks = Counter(class_of[name] == "Free" for name in ppl.test if group_of[name] in seen)
            assert (leaks[False], leaks[True]) == counts
        assert Counter(class_of[name] == "Free" for name in ppl.test) == {False: 80, True: 191}

    def test_no_tile_is_in_two_groups_as_far_as_pictures_tell(self, result, class_of):
        """Two pictures of one exposure that are nearly alike, up to a shift, share a group."""
        groups = tiles.groups(class_of)
        examples, _ = layouts.examples(result, free=True)
        with result.tree.reading() as read_file:
            spectra = {e.name: spectrum(read_file(e.image)) for e in examples}
        alike = []
        for exposure in range(7):
            names = [name for name in spectra if tiles.parse(name).exposure == exposure]
            stack = np.stack([spectra[name] for name in names])
            for i, name in enumerate(names[:-1]):
                best = correlations(stack[i], stack[i + 1 :])
                alike += [(name, names[i + 1 + j]) for j in np.flatnonzero(best > 0.86)]
        runs_of = {
            shot.name: number
            for number, run in enumerate(tiles.runs(map(tiles.parse, class_of)))
            for shot in run
        }
        # There is something to be found: tiles that were shot again.
        assert len({(runs_of[a], runs_of[b]) for a, b in alike}) >= 9
        assert [(a, b) for a, b in alike if groups[a] != groups[b]] == []


def folder_runs(class_of: dict[str, str]) -> dict[str, tuple[str, int]]:
    """The simpler rule: in each folder, by capture, a run ends where the exposure does not rise.

    It also ends at a pause of more than 160 captures. Name -> (class, number of the run).
    """
    result: dict[str, tuple[str, int]] = {}
    for class_ in COUNTS:
        shots = sorted(tiles.parse(name) for name in class_of if class_of[name] == class_)
        number = 0
        result[shots[0].name] = (class_, number)
        for last, shot in itertools.pairwise(shots):
            rises = shot.exposure > last.exposure
            number += not rises or shot.capture - last.capture > 160
            result[shot.name] = (class_, number)
    return result


_SIDE = 64


def spectrum(image: bytes) -> np.ndarray:
    """The Fourier transform of a thumbnail without its light and its edges, of norm 1."""
    grey = Image.fromarray(read_image(image)).convert("L").convert("F")
    small = np.array(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    rows, columns = np.fft.fftfreq(_SIDE)[:, None], np.fft.fftfreq(_SIDE)
    texture = np.fft.ifft2(np.fft.fft2(small) * (np.hypot(rows, columns) > 0.06)).real
    window = np.hanning(_SIDE)
    transform = np.fft.fft2(texture * window[:, None] * window)
    return (transform / np.linalg.norm(transform)).astype(np.complex64)


def correlations(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The highest correlation with each other picture over shifts of up to ten pixels."""
    shifted = np.fft.ifft2(others * one.conj()).real * _SIDE**2
    near = np.r_[-10:11]
    return shifted[:, near][:, :, near].max((1, 2))


def test_real_images_are_stored_as_they_are(real, archive, result, class_of):
    name = "exp3_num_45042"
    with result.tree.reading() as read_file:
        data = read_file(f"MT_{class_of[name]}/Imgs/{name}.jpg")
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"
    np.testing.assert_array_equal(real[name]["image"], read_image(data))
    assert real[name]["mask"].any() == np.False_
