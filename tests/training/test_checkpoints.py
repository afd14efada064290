"""Damaged checkpoints: detected, named, moved, and the run resumes from the one before."""

import errno
import json
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tests import tiny
from tests.training.test_loop import assert_equal, frozen, run
from uaps_jax import files, methods
from uaps_jax.training import checkpoints, digests, loop
from uaps_jax.training.checkpoints import CheckpointError

STEPS = 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with the checkpoints of steps 4 and 6, and its last state."""
    folder = tmp_path_factory.mktemp("sound")
    config = tiny.plain("supervised", steps=STEPS)
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
    files = [f for f in (folder / item).rglob("*") if f.is_file() and "commit" not in f.name]
    return max(files, key=lambda f: f.stat().st_size)


def test_the_two_latest_checkpoints_are_kept(trained):
    _, folder, _ = trained
    assert checkpoints.saved_steps(folder) == [4, STEPS]
    for step in (4, STEPS):
        checkpoints.verify(folder, step)


@pytest.mark.parametrize("damage", [truncated, emptied, flipped, removed])
@pytest.mark.parametrize(
    "item", ["state", "variables", "config", "data", "metrics", "written_by", "digests"]
)
def test_damage_is_detected(trained, tmp_path, item, damage):
    _, folder, _ = trained
    shutil.copytree(folder, tmp_path / "run")
    place = tmp_path / "run" / "checkpoints" / str(STEPS)
    damage(largest(place, item))
    with pytest.raises(CheckpointError, match=f"checkpoint .*/{STEPS} (is damaged|cannot be read)"):
        checkpoints.verify(tmp_path / "run", STEPS)
    checkpoints.verify(tmp_path / "run", 4)


@pytest.mark.parametrize("damage", [truncated, emptied, flipped])
def test_a_run_resumes_from_the_checkpoint_before_to_the_same_end(trained, tmp_path, damage):
    config, folder, state = trained
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    damage(largest(copy / "checkpoints" / str(STEPS), "state"))
    checkpoints.move_damaged(copy)
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
    for _ in range(2):
        with pytest.raises(CheckpointError, match="all checkpoints are damaged, and nothing was"):
            checkpoints.move_damaged(tmp_path / "run")
    assert checkpoints.saved_steps(tmp_path / "run") == [4, STEPS]


def test_a_damaged_best_is_set_aside_too(tmp_path, monkeypatch):
    scores = iter([30.0, 20.0, 10.0])
    real = loop.evaluate.evaluate
    monkeypatch.setattr(
        loop.evaluate, "evaluate", lambda *a, **k: real(*a, **k) | {"image_dice": next(scores)}
    )
    config = tiny.plain("supervised", steps=9)
    run(frozen(config), tmp_path / "run")
    assert checkpoints.find_step(tmp_path / "run", "best") == 3
    flipped(largest(tmp_path / "run" / "checkpoints" / "3", "variables"))
    checkpoints.move_damaged(tmp_path / "run")
    assert [f.name.partition("_")[0] for f in (tmp_path / "run" / "damaged").iterdir()] == ["3"]
    assert checkpoints.find_step(tmp_path / "run", "best") == 9


# Orbax's threads end in their own way.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_stops_the_run_and_leaves_the_checkpoint_before(tmp_path, small_disk):
    config = tiny.plain("supervised", steps=STEPS)
    config.checkpoint.every = config.checkpoint.keep_every = 1
    whole = run(frozen(config), tmp_path / "whole")
    one = sum(f.stat().st_size for f in (tmp_path / "whole/checkpoints/1").rglob("*"))
    disk = small_disk(3 * one // 1024)
    with pytest.raises(Exception, match="No space left on device") as caught:
        run(frozen(config), disk / "run")
    assert files.is_disk_full(caught.value)
    saved = checkpoints.saved_steps(disk / "run")
    assert saved
    assert max(saved) < STEPS
    for step in saved:
        checkpoints.verify(disk / "run", step)
    small_disk(100 * one // 1024)
    checkpoints.move_damaged(disk / "run")
    assert_equal(run(frozen(config), disk / "run"), whole)
    assert not (disk / "run" / "damaged").exists()


# The file that could not be written complains when it is freed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_checkpoint_that_has_no_space_is_not_begun(tmp_path, small_disk):
    config = tiny.plain("supervised", steps=1)
    config.network.widths = (16, 32)
    disk = small_disk(128)
    with pytest.raises(OSError, match=r"No space left on device: 0\.\d MiB are needed") as caught:
        run(frozen(config), disk / "run")
    assert files.is_disk_full(caught.value)
    assert not list((disk / "run/checkpoints").iterdir())


def test_what_a_full_disk_is():
    full, other = OSError(errno.ENOSPC, "full"), OSError(errno.EACCES, "closed")
    wrapped = ValueError("could not save")
    wrapped.__cause__ = full
    assert files.is_disk_full(full)
    assert files.is_disk_full(wrapped)
    assert files.is_disk_full(ValueError("writing failed: Disk quota exceeded"))
    assert not files.is_disk_full(other)
    assert not files.is_disk_full(None)


def test_a_checkpoint_of_a_later_version_is_refused_and_left_where_it_is(
    trained, tmp_path, monkeypatch
):
    _, folder, _ = trained
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setattr(sys.modules[checkpoints.verify.__module__], "FORMAT", 2)
    for refused in (
        lambda: checkpoints.verify(tmp_path / "run", STEPS),
        lambda: checkpoints.move_damaged(tmp_path / "run"),
        lambda: checkpoints.read_config(tmp_path / "run", STEPS),
    ):
        with pytest.raises(checkpoints.NewerFormatError, match="is of format 3; this version"):
            refused()
    assert checkpoints.saved_steps(tmp_path / "run") == [4, STEPS]


def test_evaluation_needs_no_optimizer_state(trained, tmp_path):
    config, folder, _ = trained
    shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / str(STEPS) / "state")
    method = methods.build(frozen(config))
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    checkpoints.restore_variables(tmp_path / "run", STEPS, like)


def test_a_new_directory_is_left_as_it_is(tmp_path):
    checkpoints.move_damaged(tmp_path)
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
