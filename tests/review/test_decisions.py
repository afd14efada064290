"""Decisions on disk: what they are, what they make, and what is refused."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.review import folders
from uaps_jax.annotation_queue import dataset, entry
from uaps_jax.annotations import mask_form
from uaps_jax.config import ConfigError
from uaps_jax.config.data import FolderConfig
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.folder import class_map
from uaps_jax.review.decisions import Decisions, Stale


def opened(folder):
    return Decisions(entry.read(folder))


def files(folder):
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def painted(rank):
    mask = folders.proposal(rank)
    mask[8:, :3] = 255
    mask[0, 0] = 2
    return mask


def test_accepted_and_corrected_images_are_a_folder_to_train_on(tmp_path):
    folders.write(tmp_path)
    decisions = opened(tmp_path)
    decisions.complete()
    assert not (tmp_path / "annotated").exists()
    assert decisions.change(1, "accept", 0, None).state == "accepted"
    assert decisions.change(2, "accept", 0, painted(2)).state == "corrected"
    assert decisions.change(3, "reject", 0, None).state == "rejected"
    assert decisions.change(4, "mark", 0, painted(4)).state == "to_correct"
    annotated = tmp_path / "annotated"
    assert files(annotated) == [
        "classes.yaml",
        "images/deep/part_02.png",
        "images/part_01.png",
        "masks/deep/part_02.png",
        "masks/part_01.png",
    ]
    classes = class_map.from_file(annotated / "classes.yaml")
    assert classes.names == folders.CLASSES
    for name, expected in (("part_01", folders.proposal(1)), ("deep/part_02", painted(2))):
        content = (annotated / "masks" / f"{name}.png").read_bytes()
        np.testing.assert_array_equal(class_map.decode_mask(content, classes), expected)
        image = (annotated / "images" / f"{name}.png").read_bytes()
        assert image == (tmp_path / "images" / f"{name}.png").read_bytes()
    with (tmp_path / "decisions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["decision"] for row in rows] == ["accepted", "corrected", "rejected", "to_correct"]
    assert rows[0]["path"] == "/camera/part_01.png"

    # Changed again: nothing of it is left in the folder, and a painted mask is kept.
    assert decisions.change(2, "reject", 1, None).state == "rejected"
    assert decisions.change(1, "clear", 1, None).state == "undecided"
    assert files(annotated) == ["classes.yaml"]
    np.testing.assert_array_equal(decisions.mask(2), painted(2))
    assert decisions.change(2, "accept", 2, None).state == "corrected"
    # Painted back to the proposal, it is not corrected any more.
    assert decisions.change(2, "accept", 3, folders.proposal(2)).state == "accepted"
    assert decisions.counts() == {"accepted": 1, "undecided": 1, "rejected": 1, "to_correct": 1}


def test_a_draft_decides_nothing(tmp_path):
    folders.write(tmp_path)
    decisions = opened(tmp_path)
    assert decisions.change(1, "draft", 0, painted(1)).state == "undecided"
    decisions.change(2, "mark", 0, None)
    assert decisions.change(2, "draft", 1, painted(2)).state == "to_correct"
    decisions.change(3, "accept", 0, None)
    assert decisions.change(3, "draft", 1, painted(3)).state == "undecided"
    assert not files(tmp_path / "annotated" / "masks")
    again = opened(tmp_path)
    for rank in (1, 2, 3):
        np.testing.assert_array_equal(again.mask(rank), painted(rank))


def test_a_change_of_an_old_version_is_refused(tmp_path):
    folders.write(tmp_path)
    decisions = opened(tmp_path)
    decisions.change(1, "accept", 0, None)
    with pytest.raises(Stale):
        decisions.change(1, "reject", 0, None)
    assert decisions[1].state == "accepted"


def test_a_folder_that_a_crash_left_half_made_is_completed(tmp_path):
    folders.write(tmp_path)
    decisions = opened(tmp_path)
    decisions.change(1, "accept", 0, painted(1))
    earlier = (tmp_path / "annotated" / "masks" / "part_01.png").read_bytes()
    decisions.change(1, "accept", 1, folders.proposal(1))
    decisions.change(2, "accept", 0, None)
    removed = (tmp_path / "annotated" / "masks" / "deep" / "part_02.png").read_bytes()
    decisions.change(2, "reject", 1, None)
    decisions.change(3, "accept", 0, None)
    decisions.change(4, "accept", 0, None)
    whole = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    # After the decision was written, and before what is made of it.
    (tmp_path / "annotated" / "masks" / "part_01.png").write_bytes(earlier)
    (tmp_path / "annotated" / "masks" / "deep" / "part_02.png").write_bytes(removed)
    (tmp_path / "annotated" / "images" / "part_03.png").unlink()
    (tmp_path / "annotated" / "masks" / "part_04.png").unlink()
    (tmp_path / "decisions.csv").unlink()
    (tmp_path / "decisions" / ".00002.json.17.partial").write_bytes(b"{")
    again = opened(tmp_path)
    assert [again[rank] for rank in range(1, 5)] == [decisions[rank] for rank in range(1, 5)]
    again.complete()
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == whole


@pytest.mark.parametrize("name", ["masks/part_01.png", "masks/part_03.png", "images/part_03.png"])
def test_files_of_other_programs_are_kept(name, tmp_path):
    """Painted in place of an accepted mask, or for an image that is not decided."""
    folders.write(tmp_path)
    opened(tmp_path).change(1, "accept", 0, None)
    file = tmp_path / "annotated" / name
    file.write_bytes(b"painted")
    whole = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    decisions = opened(tmp_path)
    with pytest.raises(ConfigError, match=f"{name}: not written by --mode=review, or changed"):
        decisions.complete()
    rank = 1 if "part_01" in name else 3
    with pytest.raises(ConfigError, match=f"{name}: not written by --mode=review, or changed"):
        decisions.change(rank, "reject", decisions[rank].version, None)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == whole


def test_masks_have_the_values_and_names_of_the_data_set(tmp_path):
    folders.write(tmp_path)
    values = [("background", ["0"]), ("scratch", ["200", "255"]), ("dent", ["1"])]
    root = tmp_path / "mine"
    (root / "images").mkdir(parents=True)
    (root / "classes.yaml").write_text("background: 0\nscratch: [200, 255]\ndent: 1\n")
    settings = FolderConfig(
        images="", masks="", mask_suffix="_m", table="", classes=(), group="", white=65535
    )
    found = dataset.find(root / "images", settings)
    mask_form.write(tmp_path, dataset.mask_form(found, settings, folders.CLASSES))
    assert dataset.mask_form(found, settings, ("background", "dent", "scratch")) is None
    opened(tmp_path).change(1, "accept", 0, None)
    opened(tmp_path).change(2, "accept", 0, painted(2))
    opened(tmp_path).complete()
    annotated = tmp_path / "annotated"
    classes = class_map.from_file(annotated / "classes.yaml")
    # The highest level that stands for no class is for the pixels without a label.
    assert classes == class_map.parse([*values, ("ignore", ["254"])])
    table = np.zeros(256, np.uint8)
    table[[1, 2, 255]] = (200, 1, 254)
    for name, expected in (("part_01", folders.proposal(1)), ("deep/part_02", painted(2))):
        with Image.open(annotated / "masks" / f"{name}_m.png") as mask:
            np.testing.assert_array_equal(np.array(mask), table[expected])


def test_nothing_is_decided_without_the_image(tmp_path):
    folders.write(tmp_path)
    copy = tmp_path / "images" / "part_01.png"
    content = copy.read_bytes()
    copy.unlink()
    decisions = opened(tmp_path)
    with pytest.raises(OSError, match=r"part_01.png"):
        decisions.change(1, "accept", 0, None)
    copy.write_bytes(b"another")
    with pytest.raises(UnreadableError, match="its bytes have changed"):
        decisions.change(1, "accept", 0, None)
    assert decisions[1].state == "undecided"
    assert not (tmp_path / "decisions").exists()
    copy.write_bytes(content)
    assert decisions.change(1, "accept", 0, None).state == "accepted"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "liked"}, "state 'liked' is none"),
        ({"sha256": "0"}, "is of the image 'part_01.png', not of"),
        ({"mask": "%%"}, "is no decision of this queue"),
        ({"mask": "aGVsbG8="}, "is no decision of this queue"),
        ({"version": None}, "is no decision of this queue"),
    ],
)
def test_a_damaged_decision_is_named(tmp_path, change, reason):
    folders.write(tmp_path)
    opened(tmp_path).change(1, "accept", 0, painted(1))
    file = tmp_path / "decisions" / "00001.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ConfigError, match=f"(?s)00001.json.*{reason}"):
        opened(tmp_path)


def test_a_mask_of_another_size_is_named(tmp_path):
    folders.write(tmp_path)
    opened(tmp_path).change(1, "accept", 0, painted(1))
    Image.new("L", (3, 3)).save(tmp_path / "mask" / "part_01.png")
    with pytest.raises(Exception, match="3 x 3 pixels, the image 20 x 12"):
        opened(tmp_path).proposal(1)
