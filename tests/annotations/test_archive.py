"""Archives of others: nothing is written outside of the folder, or too much."""

import struct
import zipfile

import pytest

from tests.annotations import exports
from uaps_jax.annotations import archive
from uaps_jax.datasets.common import DataError


def unpack(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)
    folder = tmp_path / "unpacked"
    folder.mkdir()
    archive.unpack(tmp_path / "a.zip", folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_of_the_system_are_left_out(tmp_path):
    files = {"x/a.txt": b"1", "__MACOSX/x/._a.txt": b"2", ".DS_Store": b"3", "x\\b.txt": b"4"}
    assert unpack(tmp_path, exports.zipped(files)) == {"x/a.txt": b"1", "x/b.txt": b"4"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../a.txt", "is a path out of the archive"),
        ("x/../../a.txt", "is a path out of the archive"),
        ("/tmp/a.txt", "is a path out of the archive"),
        ("..\\a.txt", "is a path out of the archive"),
        ("C:/a.txt", "is a path out of the archive"),
        ("a\n.txt", "control characters"),
        (".", "is no name of a file"),
        ("./.", "is no name of a file"),
    ],
)
def test_paths_out_of_the_archive_are_named(name, reason, tmp_path):
    with pytest.raises(DataError, match=reason) as caught:
        unpack(tmp_path, exports.zipped({"good.txt": b"1", name: b"2"}))
    assert len(caught.value.problems) == 1
    assert not list((tmp_path / "unpacked").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "unpacked"]


def test_an_empty_name_is_named(tmp_path):
    data = bytearray(exports.zipped({"z": b"1"}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 28 : at + 32] = struct.pack("<HH", 0, 1)  # The name is a byte of extra data now.
    with pytest.raises(DataError, match="is no name of a file"):
        unpack(tmp_path, bytes(data))


def test_links_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        member = zipfile.ZipInfo("link")
        member.external_attr = 0o120777 << 16
        file.writestr(member, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        unpack(tmp_path, (tmp_path / "b.zip").read_bytes())


def test_names_that_come_twice_or_lie_in_a_file_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("a", "1")
        file.writestr("a/b", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a", "1")
    with pytest.raises(DataError) as caught:
        unpack(tmp_path, (tmp_path / "b.zip").read_bytes())
    reasons = [problem.reason for problem in caught.value.problems]
    assert reasons == ["comes twice", "lies in a, which is a file"]


def test_files_that_grow_too_much_are_named(tmp_path):
    with pytest.raises(DataError, match="grows from"):
        unpack(tmp_path, exports.zipped({"bomb.json": bytes(5 << 20)}))
    assert not list((tmp_path / "unpacked").iterdir())


def test_an_image_without_compression_may_grow(tmp_path):
    mask = bytes(5 << 20)
    assert unpack(tmp_path, exports.zipped({"mask.bmp": mask})) == {"mask.bmp": mask}


def test_damaged_lzma_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a.json", bytes(range(256)) * 40)
    data = bytearray((tmp_path / "b.zip").read_bytes())
    data[40:60] = b"\xff" * 20
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path, bytes(data))


def test_a_size_that_is_not_true_is_no_way_around(tmp_path):
    """The directory says 10 bytes; what is unpacked ends there, and its checksum is wrong."""
    data = bytearray(exports.zipped({"bomb.json": bytes(5 << 20)}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path, bytes(data))


def test_encrypted_files_are_named(tmp_path):
    data = bytearray(exports.zipped({"a.json": b"{}"}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(DataError, match="is encrypted"):
        unpack(tmp_path, bytes(data))


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"no archive", exports.zipped({"a": b"12"})[:-30]],
    ids=["empty", "start", "text", "cut"],  # an archive has the time in it
)
def test_what_is_no_archive_is_named(data, tmp_path):
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path, data)
