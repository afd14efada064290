"""Splits that are written, changed and used."""

import dataclasses
import json

import pytest

from tests.commands.mine import request, settings
from uaps_jax.commands.split import split
from uaps_jax.commands.train import train
from uaps_jax.config import ConfigError


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
        ({"protocol": "native"}, "folder has no val and no test part"),
        ({"protocol": "published"}, "folder does not have it; it has grouped, file"),
        ({"protocol": "file", "split_file": "nowhere.json"}, "nowhere.json: is no split.json"),
        ({"labeled_list": "nowhere.txt"}, "nowhere.txt': cannot be read"),
        ({"labeled_count": 70}, "labeled_count = 70: only 7 training images"),
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
