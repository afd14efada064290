"""The lists of a queue, written and read."""

import csv
import io
import json

import pytest

from tests.review import folders
from uaps_jax.annotation_queue import entry
from uaps_jax.config import ConfigError


def test_what_is_written_is_read(tmp_path):
    folders.write(tmp_path)
    queue = entry.read(tmp_path)
    assert queue.class_names == folders.CLASSES
    assert [one.rank for one in queue.entries] == [1, 2, 3, 4]
    assert (queue.entries[0].distance, queue.entries[1].distance) == (None, 0.5)
    assert entry.to_lines(queue.entries) == (tmp_path / entry.LINES).read_text()
    rows = list(csv.DictReader(io.StringIO(entry.to_table(queue.entries, queue.class_names))))
    assert rows[1]["image"] == "deep/part_02.png"
    assert (rows[0]["distance"], rows[1]["score"]) == ("", "0.25")
    assert (rows[0]["share of scratch"], rows[0]["share of dent"]) == ("0.100000", "0.000000")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "../x"}, "leads out of the folder"),
        ({"image": "/etc/passwd"}, "leads out of the folder"),
        ({"rank": 7}, "rank 7: must be 2"),
        ({"width": 10**6, "height": 10**6}, "1000000 x 1000000 pixels"),
        ({"width": "20"}, "an image of '20' x 12 pixels"),
        ({"score": "high"}, "score, ambiguity, minutes are not all numbers"),
        ({"minutes": None}, "score, ambiguity, minutes are not all numbers"),
        ({"score": float("nan")}, "score, ambiguity, minutes are not all numbers"),
        ({"distance": "far"}, "disagreement or distance is no number"),
        ({"shares": {"scratch": "much"}}, "the shares of the classes are not numbers"),
        ({"path": 1}, "path or sha256 is no text"),
        ({"notes": 1}, "is no image of a queue"),
    ],
)
def test_a_damaged_list_is_refused(tmp_path, change, reason):
    folders.write(tmp_path)
    lines = (tmp_path / entry.LINES).read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    (tmp_path / entry.LINES).write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=f"queue.jsonl, line 2: .*{reason}"):
        entry.read(tmp_path)


def test_a_line_that_is_too_deep_is_refused(tmp_path):
    folders.write(tmp_path)
    (tmp_path / entry.LINES).write_text("[" * 100_000)
    with pytest.raises(ConfigError, match=r"queue.jsonl, line 1: is no image of a queue"):
        entry.read(tmp_path)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no queue.jsonl; give the folder of a queue"):
        entry.read(tmp_path)
    folders.write(tmp_path)
    (tmp_path / "classes.yaml").unlink()
    with pytest.raises(ConfigError, match=r"classes.yaml: cannot be read"):
        entry.read(tmp_path)
    folders.write(tmp_path)
    (tmp_path / entry.LINES).write_text("")
    with pytest.raises(ConfigError, match="has no image"):
        entry.read(tmp_path)
