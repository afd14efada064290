"""Building a dataset from raw data."""

import errno
import fcntl
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from absl import logging
from PIL import Image

from uaps_jax.config import ConfigError
from uaps_jax.configs import train
from uaps_jax.data import build
from uaps_jax.datasets import file_trees
from uaps_jax.datasets.common import DataError
from uaps_jax.datasets.folder.folder_dataset_builder import Builder


@pytest.fixture
def data(tmp_path):
    """The settings of a folder of two images."""
    root = tmp_path / "raw"
    for folder, value in (("images", 90), ("masks", 0)):
        (root / folder).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            Image.fromarray(np.full((8, 8), value, np.uint8)).save(root / folder / name)
    (root / "classes.yaml").write_text("background: 0\nscratch: 255\n")
    config = train.build(dataset="folder", method="supervised")
    config.data.manual_dir, config.data.data_dir = str(root), str(tmp_path / "built")
    return config.data


def test_of_two_at_once_one_builds_and_the_other_waits_for_it(data, monkeypatch):
    building, go_on, waiting = threading.Event(), threading.Event(), threading.Event()
    real, built = Builder.download_and_prepare, []

    def slow(builder, **kwargs):
        building.set()
        assert go_on.wait(60)
        built.append(builder)
        real(builder, **kwargs)

    monkeypatch.setattr(Builder, "download_and_prepare", slow)
    monkeypatch.setattr(logging, "info", lambda text, *_: "waits" in text and waiting.set())
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(build.built, data)
        assert building.wait(60)
        second = threads.submit(build.built, data)
        assert waiting.wait(60)
        go_on.set()
        found = [done.result(60) for done in (first, second)]
    assert len(built) == 1
    assert [builder.info.splits["train"].num_examples for builder in found] == [2, 2]
    assert not list(Path(data.data_dir).rglob(build.LOCK))


def test_who_waited_checks_what_the_other_has_built(data, monkeypatch):
    """The other process built the same folder from other files, as only the digest tells."""
    real = build._alone

    def after_another(folder, what):
        monkeypatch.setattr(build, "_alone", real)
        build.built(data)
        [digest] = folder.glob(f"*/{build.SOURCE}")
        digest.write_text("of other files")
        return real(folder, what)

    monkeypatch.setattr(build, "_alone", after_another)
    with pytest.raises(ConfigError, match="was built from other files"):
        build.built(data)


def test_a_file_system_without_locks_is_built_on_with_a_warning(data, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    said = []
    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    assert build.built(data).info.splits["train"].num_examples == 2
    assert any("cannot be locked (No locks available)" in line for line in said)


def test_builds_of_files_as_they_were_before_are_listed(data, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "info", lambda text, *values: said.append(text % values))
    first = Path(build.built(data).data_path)
    data.folder.white = 4095  # other settings: another build, which stays in use
    other = Path(build.built(data).data_path)
    data.folder.white = 65535
    assert not any("not used any more" in line for line in said)
    image = Path(data.manual_dir) / "images" / "a.png"
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(image)
    build.built(data)
    [line] = [line for line in said if "not used any more" in line]
    assert re.match(r"1 earlier build of these settings, 0\.\d MiB, is of files", line)
    assert line.endswith(f"rm -r {first}")
    assert other.is_dir()


def test_a_file_that_goes_away_while_it_is_built_is_named(data, monkeypatch):
    seen, real = [], file_trees.read_regular

    def drive_goes_away(path):
        seen.append(path.name)
        if seen.count("b.png") > 2:  # image and mask were checked
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(path)

    monkeypatch.setattr(file_trees, "read_regular", drive_goes_away)
    with pytest.raises(DataError, match=r"b.png: could be read before.*Stale file handle"):
        build.built(data)
    monkeypatch.undo()
    assert build.built(data).info.splits["train"].num_examples == 2
