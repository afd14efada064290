"""Damaged checkpoints: found, named, set aside, and gone on without."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.training.test_loop import assert_equal, frozen, run
from uaps_jax.training import checkpoints, digests
from uaps_jax.training.checkpoints import CheckpointError

STEPS = 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with the checkpoints of steps 4 and 6, and its last state."""
    folder = tmp_path_factory.mktemp("sound")
    config = tiny.config("supervised", steps=STEPS)
    config.train.eval_every = STEPS
    state = run(frozen(config), folder)
    return config, folder, state


def truncated(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file):
    file.write_bytes(b"")


def flipped(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)


def removed(file):
    file.unlink()


def largest(folder: Path, item: str) -> Path:
    files = [f for f in (folder / item).rglob("*") if f.is_file()]
    return max(files, key=lambda f: f.stat().st_size)


def test_the_two_latest_checkpoints_are_kept(trained):
    _, folder, _ = trained
    assert checkpoints.saved_steps(folder) == [4, STEPS]
    for step in (4, STEPS):
        checkpoints.verify(folder, step)


@pytest.mark.parametrize("damage", [truncated, emptied, flipped, removed])
@pytest.mark.parametrize("item", ["state", "variables", "config", "data", "digests"])
def test_damage_is_found(trained, tmp_path, item, damage):
    _, folder, _ = trained
    shutil.copytree(folder, tmp_path / "run")
    place = tmp_path / "run" / "checkpoints" / str(STEPS)
    damage(largest(place, item))
    with pytest.raises(CheckpointError, match=f"checkpoint .*/{STEPS} (is damaged|cannot be read)"):
        checkpoints.verify(tmp_path / "run", STEPS)
    checkpoints.verify(tmp_path / "run", 4)


@pytest.mark.parametrize("damage", [truncated, emptied, flipped])
def test_a_run_goes_on_from_the_checkpoint_before_to_the_same_end(trained, tmp_path, damage):
    config, folder, state = trained
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    damage(largest(copy / "checkpoints" / str(STEPS), "state"))
    checkpoints.set_damaged_aside(copy)
    assert checkpoints.saved_steps(copy) == [4]
    [aside] = (copy / "damaged").iterdir()
    assert aside.name.startswith(f"{STEPS}_")
    assert_equal(run(frozen(config), copy), state)
    assert checkpoints.saved_steps(copy) == [4, STEPS]


def test_where_all_are_damaged_the_run_is_not_started_over(trained, tmp_path):
    _, folder, _ = trained
    shutil.copytree(folder, tmp_path / "run")
    for step in (4, STEPS):
        emptied(largest(tmp_path / "run" / "checkpoints" / str(step), "state"))
    with pytest.raises(CheckpointError, match="all checkpoints of .* are damaged"):
        checkpoints.set_damaged_aside(tmp_path / "run")
    assert len(list((tmp_path / "run" / "damaged").iterdir())) == 2


def test_nothing_is_set_aside_of_a_new_directory(tmp_path):
    checkpoints.set_damaged_aside(tmp_path)
    assert not list(tmp_path.iterdir())


def test_digests_tell_values_shapes_types_and_names():
    tree = {"a": np.arange(6.0), "b": [np.zeros(2, np.int32)]}
    known = digests.of(tree)
    assert digests.differences(tree, json.loads(json.dumps(known))) == []
    changed = {"a": np.arange(6.0) + 1e-15, "b": [np.zeros(2, np.int32)]}
    assert digests.differences(changed, known) == ["a"]
    reshaped = {"a": np.arange(6.0).reshape(2, 3), "b": [np.zeros(2, np.uint32)]}
    assert digests.differences(reshaped, known) == ["a", "b/0"]
    assert digests.differences({"a": tree["a"], "c": tree["b"][0]}, known) == ["b/0", "c"]
