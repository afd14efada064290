"""Lists of names are read as they were written."""

import os

import pytest

from uaps_jax.datasets.protocols import read_list


def test_comments_and_empty_lines_are_no_names(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa\r\n# two\n\n  b c \n#d")
    assert read_list(tmp_path / "list.txt") == ["a", "b c"]


def test_every_name_that_is_known_comes_back(tmp_path):
    names = ["#1", "# a", " b", "c ", "d\x85e", "f\u2028g", "h"]
    (tmp_path / "list.txt").write_text("".join(f"{name}\n" for name in names))
    assert read_list(tmp_path / "list.txt", set(names)) == names


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(OSError, match="it is a pipe"):
        read_list(tmp_path / "list.txt")
