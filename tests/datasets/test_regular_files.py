"""Pipes, devices and files that are too large are refused without being opened."""

import os

import pytest

from uaps_jax.datasets.regular_files import check_regular, read_regular


def test_files_and_links_to_them_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "empty").write_bytes(b"")
    assert check_regular(tmp_path / "b") == 5
    assert read_regular(tmp_path / "b") == b"12345"
    assert read_regular(str(tmp_path / "empty")) == b""


@pytest.mark.parametrize("place", ["pipe", "link", "folder", "/dev/zero"])
def test_pipes_devices_and_folders_are_not_opened(place, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    kind = {"folder": "a folder", "/dev/zero": "a device"}.get(place, "a pipe")
    with pytest.raises(OSError, match=f"it is {kind}, not a file"):
        read_regular(tmp_path / place)


def test_a_size_beyond_the_limit_is_not_read(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match=f"has {2**40} bytes; at most {2**31} are read"):
        read_regular(tmp_path / "sparse")
    assert check_regular(tmp_path / "sparse", most=None) == 2**40
    (tmp_path / "small").write_bytes(b"123")
    assert read_regular(tmp_path / "small", most=3) == b"123"
    with pytest.raises(OSError, match="has 3 bytes; at most 2"):
        read_regular(tmp_path / "small", most=2)


def test_a_file_longer_than_its_size_is_refused():
    with pytest.raises(OSError, match="more than the 0 bytes"):
        read_regular("/proc/self/status")
