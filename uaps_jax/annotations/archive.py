"""Unpacks zip archives of others, which may be damaged or malicious."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from uaps_jax import files
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.plain_text import NAME_REASON, is_plain

MOST_FILES = 1_000_000
MOST_BYTES = 2**38
"""Of all files together, unpacked."""

MOST_RATIO = 200
"""Of a text's size to its size in the archive, beyond a mebibyte; annotations have less. An image
without compression, such as a mask in BMP, may have far more."""

TEXTS = (".json", ".xml", ".txt")

_FREE = 2**20
_ENCRYPTED = 1
_PIECE = 2**20
_FAILURES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, ValueError),
)
REMEDY = "Export the annotations again, and run the same command again."


def unpack(path: Path, folder: Path) -> None:
    """Unpacks the files of a zip archive into a folder that exists and is empty.

    Files of the system (`__MACOSX`, hidden ones) are left out.

    Raises:
      DataError: it is no zip archive, is damaged, or has files that are not unpacked: encrypted
        ones, links, paths out of the folder, names that come twice, more bytes than there should
        be. All are named, but for the damaged ones, which are found one at a time.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not _is_folder(m) and not _is_hidden(m)]
            if problems := list(_problems(path, members)):
                raise DataError(problems, REMEDY)
            files.require_space(folder, sum(member.file_size for member in members))
            for member in members:
                _write(archive, member, folder / _name(member))
    except _FAILURES as error:
        reason = f"cannot be unpacked: {error or type(error).__name__}"
        raise DataError([Problem(str(path), reason)], REMEDY) from error


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, path.open("xb") as unpacked:
        while piece := packed.read(_PIECE):
            unpacked.write(piece)
    if path.stat().st_size != member.file_size:
        raise EOFError(f"{member.filename} has other bytes than its size says")


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.replace("\\", "/")


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith("/")


def _is_hidden(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(_name(member)).parts
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts)


def _problems(path: Path, members: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    if len(members) > MOST_FILES or sum(member.file_size for member in members) > MOST_BYTES:
        yield Problem(str(path), "has more files or bytes than an export of annotations")
    seen: set[PurePosixPath] = set()
    for member in members:
        if reason := _reason(member):
            yield Problem(f"{path}: {member.filename}", reason)
        name = PurePosixPath(_name(member))
        if not name.parts:
            continue
        if name in seen:
            yield Problem(f"{path}: {member.filename}", "comes twice")
        seen.add(name)
    for name in sorted(seen):
        if above := next((folder for folder in name.parents if folder in seen), None):
            yield Problem(f"{path}: {name}", f"lies in {above}, which is a file")


def _reason(member: zipfile.ZipInfo) -> str:
    """Why a file is not unpacked; "" if it is."""
    name = _name(member)
    path = PurePosixPath(name)
    mode = member.external_attr >> 16
    if not path.parts:
        return "is no name of a file"
    if path.is_absolute() or ".." in path.parts or path.parts[0].endswith(":"):
        return "is a path out of the archive"
    if not is_plain(name):
        return NAME_REASON
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link or another special file"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    is_text = path.suffix.lower() in TEXTS
    if is_text and member.file_size > MOST_RATIO * member.compress_size + _FREE:
        return f"grows from {member.compress_size} to {member.file_size} bytes"
    return ""
