"""Splits that are written, changed and used."""

import dataclasses
import json
import logging

import pytest

from tests.commands.mine import request, settings
from tests.data.test_audit import save, texture
from tests.data.test_splits import labeled, neu_split
from uaps_jax.commands import opening
from uaps_jax.commands.split import split
from uaps_jax.commands.train import train
from uaps_jax.config import ConfigError
from uaps_jax.configs import folder_uaps, neu_uaps
from uaps_jax.data import source
from uaps_jax.datasets.neu_seg import groups as neu_groups


def test_a_split_can_be_written_changed_and_used(root):
    config = settings(root)
    split(request(root, config))
    folder = root.parent / "run"
    written = json.loads((folder / "split.json").read_text())
    for part in ("labeled", "unlabeled", "val", "test"):
        assert (folder / f"{part}.txt").read_text().split() == written[part]
    moved = written["labeled"].pop()
    written["unlabeled"].append(moved)
    (folder / "mine.json").write_text(json.dumps(written))
    config = settings(root)
    config.data.protocol, config.data.split_file = "file", str(folder / "mine.json")
    train(request(root, config))
    assert moved in json.loads((folder / "split.json").read_text())["unlabeled"]

    (folder / "names.txt").write_text(f"# two\n{written['labeled'][0]}\n")
    config = settings(root)
    config.data.labeled_list = str(folder / "names.txt")
    split(dataclasses.replace(request(root, config), workdir=folder / "other"))
    listed = json.loads((folder / "other" / "split.json").read_text())
    assert listed["labeled"] == written["labeled"][:1]
    assert listed["test"] == written["test"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"protocol": "native"}, "folder has no part val and no part test; choose one of"),
        (
            {"protocol": "published"},
            "folder does not have this protocol; choose one of grouped",
        ),
        ({"protocol": "file", "split_file": "nowhere.json"}, "nowhere.json: is not a split.json"),
        ({"labeled_list": "nowhere.txt"}, "nowhere.txt': cannot be read"),
        ({"labeled_count": 70}, "labeled_count = 70: .* only 7 distinct pictures"),
        (
            {"labeled_count": 70, "protocol": "grouped_v1"},
            "labeled_count = 70: only 7 training images",
        ),
    ],
)
def test_a_split_that_cannot_be_made_is_explained(root, change, reason):
    config = settings(root)
    for name, value in change.items():
        setattr(config.data, name, value)
    with pytest.raises(ConfigError, match=reason):
        split(request(root, config))
    assert not (root.parent / "run").exists()


def test_a_table_that_divides_the_images_is_not_divided_anew(root):
    rows = [
        f"images/part_{i:02d}.png,masks/part_{i:02d}.png,{s}"
        for i, s in enumerate(("train", "val", "test"))
    ]
    (root / "list.csv").write_text("\n".join(["image,mask,split", *rows]))
    config = settings(root)
    config.data.folder.table = "list.csv"
    with pytest.raises(ConfigError, match="set data.protocol=native"):
        split(request(root, config))
    config = settings(root)
    config.data.folder.table, config.data.protocol = "list.csv", "native"
    split(request(root, config))
    assert (root.parent / "run" / "test.txt").read_text() == "images/part_02\n"


def shots(root, method=folder_uaps):
    """Settings of a folder that has two more photographs of each annotated part."""
    for index in range(10):
        for shot in ("a", "b"):
            save(root, f"part_{index:02d}_{shot}", texture(100 + index), None)
    for index in range(10, 16):
        (root / "images" / f"part_{index:02d}.png").unlink(missing_ok=True)
    config = settings(root, method)
    config.data.folder.group = r"part_(\d+)"
    return config


def test_log_and_file_count_images_and_leakage_groups(root, caplog):
    config = shots(root)
    with caplog.at_level(logging.INFO):
        split(request(root, config))
    assert (
        "folder, protocol grouped: labeled 7 images of 7 leakage groups, unlabeled 14 images of "
        "7 leakage groups, val 1 image of 1 leakage group, test 2 images of 2 leakage groups, "
        "left out 6 images of 3 leakage groups"
    ) in caplog.messages
    assert [m.partition(":")[0] for m in caplog.messages if "no leak" in m] == [
        "14 unlabeled images of the leakage group of a labeled one"
    ]
    assert not [r for r in caplog.records if "leaks" in r.message]
    file = root.parent / "run" / "split.json"
    written = json.loads(file.read_text())
    assert (written["protocol"], written["version"]) == ("grouped", 2)
    assert written["sizes"]["unlabeled"] == {"images": 14, "groups": 7}
    assert written["sizes"]["left out"] == {"images": 6, "groups": 3}
    # It is read as it is, and so is one that does not count.
    del written["sizes"]
    (root.parent / "older.json").write_text(json.dumps(written))
    for number, name in enumerate((file, root.parent / "older.json")):
        config = shots(root)
        config.data.protocol, config.data.split_file = "file", str(name)
        again = root.parent / f"again_{number}"
        split(dataclasses.replace(request(root, config), workdir=again))
        for part in ("labeled", "unlabeled", "val", "test"):
            assert json.loads((again / "split.json").read_text())[part] == written[part]


def test_leaks_into_test_and_val_are_reported(root, caplog):
    rows = [
        f"images/part_{i:02d}.png,masks/part_{i:02d}.png,{s},{g}"
        for i, (s, g) in enumerate(
            [("train", 0), ("train", 0), ("val", 0), ("val", 1), ("test", 0), ("test", 2)]
        )
    ]
    (root / "list.csv").write_text("\n".join(["image,mask,split,group", *rows]))
    config = settings(root)
    config.data.folder.table, config.data.protocol = "list.csv", "native"
    config.data.labeled_ratio = 0.5
    with caplog.at_level(logging.INFO):
        split(request(root, config))
    leaks = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "1 in train or val, 1 in labeled, 1 in unlabeled, 1 in val" in leaks[-2]
    assert "1 of 2 val images show the same thing as a training image" in leaks[-1]
    assert [m for m in caplog.messages if m.startswith("1 unlabeled image of the leakage group")]


def test_copies_that_are_excluded_are_pointed_to_where_no_unlabeled_image_is_left(root):
    config = shots(root)
    kept = opening.trainable(*opening.open_dataset(config))[1]
    assert len(kept["unlabeled"]) == 14
    config = shots(root)
    config.data.labeled_group_copies = "exclude"
    with pytest.raises(ConfigError) as refused:
        opening.trainable(*opening.open_dataset(config))
    assert str(refused.value).endswith(
        "no unlabeled images are left, and method uaps needs them. 14 other images of the labeled "
        "leakage groups would be, with data.labeled_group_copies=unlabeled"
    )


@pytest.mark.parametrize(
    ("count", "leaks"),
    [
        (226, "152 in labeled, 810 in unlabeled"),
        (453, "266 in labeled, 810 in unlabeled"),
        (907, "479 in labeled, 798 in unlabeled"),
        (1815, "707 in labeled, 725 in unlabeled"),
    ],
)
def test_what_leaks_in_ppls_lists_of_neu_seg_is_logged(count, leaks, caplog):
    groups = neu_groups.groups()
    dataset = source.Dataset(
        name="neu_seg",
        build="",
        class_names=(),
        records={},
        position={},
        groups=groups,
        masked=frozenset(groups),
    )
    config = neu_uaps.get_config()
    config.data.protocol = "ppl"
    opening.log_split(dataset, config, neu_split("ppl", labeled(count=count)))
    assert (
        "of 840 test images, so many show the same thing as an image of another part: "
        f"810 in train or val, {leaks}. "
    ) in caplog.text
    assert "chosen on the test images" in caplog.text
