"""Archives with unusual names, unusual compressions and wrong sizes."""

import io
import os
import struct
import zipfile

import pytest

from uaps_jax.datasets import file_trees, locate
from uaps_jax.datasets.file_trees import Archive, Folder

LAYOUT = locate.Layout("plain", ("images",), ("",))


def zipped(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def read(tree, file):
    with tree.reading() as reader:
        return reader(file)


def test_names_are_found_as_they_are_meant(tmp_path):
    names = ("./images/a.png", "images//b.png", "/images/c.png", "top.png", "__MACOSX/images/a.png")
    zipped(tmp_path / "a.zip", {name: name.encode() for name in names})
    tree = Archive(tmp_path / "a.zip")
    assert tree.files("images") == ["images/a.png", "images/b.png"]
    assert read(tree, "images/a.png") == b"./images/a.png"
    assert read(tree, "images/b.png") == b"images//b.png"
    assert read(tree, "top.png") == b"top.png"
    assert tree.roots("images") == ["", "//"]
    assert read(tree.within("//"), "images/c.png") == b"/images/c.png"
    with pytest.raises(FileNotFoundError, match=r"images/z\.png is not in the archive"):
        read(tree, "images/z.png")


def test_an_entry_without_a_name_is_passed_over(tmp_path):
    zipped(tmp_path / "a.zip", {".": b"x", "images/a.png": b"y"})
    assert Archive(tmp_path / "a.zip").files("images") == ["images/a.png"]


def patched(tmp_path, local, central):
    """An archive of one stored file whose headers are changed: offset -> bytes."""
    file = io.BytesIO()
    zipped(file, {"images/ä.png": b"12345"}, zipfile.ZIP_STORED)
    data = bytearray(file.getvalue())
    for start, changes in (
        (data.index(b"PK\x03\x04"), local),
        (data.index(b"PK\x01\x02"), central),
    ):
        for offset, value in changes.items():
            data[start + offset : start + offset + len(value)] = value
    (tmp_path / "a.zip").write_bytes(data)
    return tmp_path / "a.zip"


@pytest.mark.parametrize(
    ("local", "central"),
    [({4: b"\x63\0"}, {6: b"\x63\0"}), ({}, {46: b"\xff\xff"})],
    ids=["version 9.9", "a name that is no UTF-8"],
)
def test_an_archive_that_cannot_be_opened_is_passed_over_with_a_reason(local, central, tmp_path):
    patched(tmp_path, local, central)
    result, missed = locate.in_archives(tmp_path, [LAYOUT])
    assert not result
    assert [problem.reason.partition(":")[0] for problem in missed] == ["not a readable zip file"]


def test_what_is_no_file_is_not_opened_as_an_archive(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "folder.zip").mkdir()
    _, missed = locate.in_archives(tmp_path, [LAYOUT])
    reasons = ["it is a folder, not a file", "it is a pipe, not a file"]
    assert [problem.reason for problem in missed] == [
        f"not a readable zip file: {reason}" for reason in reasons
    ]


@pytest.mark.parametrize(
    "local",
    [{30: b"\xff\xff"}, {0: b"XXXX"}, {43: b"6"}],
    ids=["name", "signature", "content"],
)
def test_a_damaged_member_is_an_error_of_reading(local, tmp_path):
    tree = Archive(patched(tmp_path, local, {}))
    with pytest.raises(OSError, match="damaged inside the archive"):
        read(tree, "images/ä.png")


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_stream_is_an_error_of_reading(kind, tmp_path):
    zipped(tmp_path / "a.zip", {"a": bytes(range(256)) * 99}, kind)
    assert read(Archive(tmp_path / "a.zip"), "a") == bytes(range(256)) * 99
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[31:60] = b"\xff" * 29
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(OSError, match="damaged inside the archive"):
        read(Archive(tmp_path / "a.zip"), "a")


def test_a_bomb_is_refused_by_its_size(monkeypatch, tmp_path):
    zipped(tmp_path / "a.zip", {"a": bytes(1000), "b": bytes(999)})
    monkeypatch.setattr(file_trees, "MOST_ARCHIVED_BYTES", 999)
    tree = Archive(tmp_path / "a.zip")
    assert read(tree, "b") == bytes(999)
    with pytest.raises(OSError, match="has 1000 bytes unpacked; at most 999 are read"):
        read(tree, "a")


def test_a_bomb_that_states_another_size_is_not_unpacked_beyond_it(tmp_path):
    zipped(tmp_path / "a.zip", {"a": bytes(2**20)})
    data = (tmp_path / "a.zip").read_bytes()
    data = data.replace(struct.pack("<I", 2**20), struct.pack("<I", 100))
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(OSError, match="damaged inside the archive: Bad CRC-32"):
        read(Archive(tmp_path / "a.zip"), "a")


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(OSError, match="it is a pipe, not a file"):
        read(Folder(tmp_path), "a.png")
