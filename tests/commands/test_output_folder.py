"""A folder of results is complete or not there."""

import pytest

from uaps_jax.commands import output_folder
from uaps_jax.config import ConfigError


def content(folder):
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*"))


def write(folder, *names):
    with output_folder.replaced(folder) as partial:
        for name in names:
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(name)


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    write(tmp_path / "out", "a", "b/c")
    write(tmp_path / "out", "b/d")
    assert content(tmp_path) == ["out", "out/b", "out/b/d"]


def test_after_an_error_the_former_folder_is_there(tmp_path):
    write(tmp_path / "out", "a")
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "out", "b", "c/d/e")
    assert content(tmp_path) == ["out", "out/a"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    left = tmp_path / ".out.partial"
    (left / "mask").mkdir(parents=True)
    (left / "mask" / "old.png").write_text("x")
    (left / "report.csv").write_text("x")
    write(tmp_path / "out", "a")
    assert content(tmp_path) == ["out", "out/a"]


def test_a_second_process_and_a_folder_that_cannot_be_made_are_refused(tmp_path):
    in_use = pytest.raises(ConfigError, match="in use by another process")
    with output_folder.replaced(tmp_path / "out"), in_use:
        write(tmp_path / "out", "a")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="Not a directory"):
        write(tmp_path / "file" / "out", "a")
