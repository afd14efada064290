"""Raw data in a folder, or in an archive that is read in place and never extracted.

Each tree has the names of its files, a reader for the bytes of a file, and the name of a file in a
report.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from uaps_jax.datasets.regular_files import check_regular, read_regular

MOST_ARCHIVED_BYTES = 2**28
"""The most bytes of an unpacked file of an archive; those of the published data are far smaller."""

_PIECE = 2**14  # compressed bytes read at a time; a zip bomb makes some megabytes of them

Read = Callable[[str], bytes]
"""Returns the bytes of a file of a tree; raises `OSError` if it is missing or damaged."""


class FileTree(Protocol):
    """A set of files, named by posix paths relative to the root of the tree."""

    def files(self, folder: str) -> list[str]:
        """Sorted names of the files directly in a folder, hidden files left out; [] if none."""

    def reading(self) -> contextlib.AbstractContextManager[Read]:
        """A context in which files can be read."""

    def label(self, file: str) -> str:
        """The name of a file or folder in messages."""


class Folder:
    """A folder on disk.

    Args:
      path: the folder; it need not exist, it then has no files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def files(self, folder: str) -> list[str]:
        root = self.path / folder
        if not root.is_dir():
            return []
        names = (entry.name for entry in root.iterdir() if entry.is_file())
        return [f"{folder}/{name}" for name in sorted(names) if not name.startswith(".")]

    @contextlib.contextmanager
    def reading(self) -> Iterator[Read]:
        yield lambda file: read_regular(self.path / file)

    def label(self, file: str) -> str:
        return str(self.path / file)


class Archive:
    """A zip file, or the part of it under one folder. It is never extracted to disk.

    Args:
      path: the zip file.

    Raises:
      zipfile.BadZipFile: if it is not a zip file, is incomplete, or is of a kind that cannot be
      read.
      OSError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = ""
        self._files: dict[str, list[str]] = {}
        self._stored: dict[str, str] = {}
        for name in sorted(_names(path)):
            file = PurePosixPath(name)  # removes the dot of ./images/1.jpg
            # macOS adds a second tree of hidden files to its archives.
            if file.parts and file.parts[0] != "__MACOSX" and not file.name.startswith("."):
                folder = "/".join(file.parts[:-1])
                self._files.setdefault(folder, []).append(file.name)
                self._stored.setdefault(f"{folder}/{file.name}" if folder else file.name, name)

    def roots(self, folder: str) -> list[str]:
        """Sorted roots under which `folder` holds files: "" or names that end in a slash."""
        ends = (name for name in self._files if f"/{name}".endswith(f"/{folder}"))
        return sorted(name.removesuffix(folder) for name in ends)

    def within(self, root: str) -> Archive:
        """The part of the archive under a root; its files are named relative to it."""
        part = object.__new__(Archive)
        part.path, part.root = self.path, root
        part._files, part._stored = self._files, self._stored
        return part

    def files(self, folder: str) -> list[str]:
        return [f"{folder}/{name}" for name in self._files.get(self.root + folder, [])]

    @contextlib.contextmanager
    def reading(self) -> Iterator[Read]:
        with zipfile.ZipFile(self.path) as archive:

            def read(file: str) -> bytes:
                stored = self._stored.get(self.root + file)
                if stored is None:
                    raise FileNotFoundError(f"{file} is not in the archive")
                return _unpacked(archive, stored)

            yield read

    def label(self, file: str) -> str:
        return f"{self.path}/{self.root}{file}"


def _names(path: Path) -> list[str]:
    """The names of the files in a zip file; raises as `Archive`."""
    check_regular(path, most=None)
    try:
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile):
        raise
    except Exception as error:  # An unknown version, a name that cannot be decoded, and more.
        raise zipfile.BadZipFile(str(error) or type(error).__name__) from error


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a file of an archive.

    Raises:
      OSError: it is damaged, encrypted, compressed in an unknown way or too large.
    """
    size = archive.getinfo(name).file_size
    if size > MOST_ARCHIVED_BYTES:
        raise OSError(f"it has {size} bytes unpacked; at most {MOST_ARCHIVED_BYTES} are read")
    try:
        # In pieces: a stream may be longer than the size that the archive states.
        with archive.open(name) as file:
            return b"".join(iter(lambda: file.read(_PIECE), b""))
    except Exception as error:  # Each kind of compression has its own errors.
        reason = str(error) or type(error).__name__
        raise OSError(f"damaged inside the archive: {reason}") from error


class Union:
    """Several trees as one, for data that came in several archives.

    Args:
      trees: at least one; no file may be in two of them.
    """

    def __init__(self, trees: Sequence[FileTree]) -> None:
        self.trees = tuple(trees)
        self._folders: dict[str, dict[str, int]] = {}

    def files(self, folder: str) -> list[str]:
        return sorted(self._owners(folder))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Read]:
        with contextlib.ExitStack() as stack:
            reads = [stack.enter_context(tree.reading()) for tree in self.trees]
            yield lambda file: reads[self._owner(file)](file)

    def label(self, file: str) -> str:
        """See `FileTree`; the whole is named by all of its parts."""
        if not file:
            return ", ".join(tree.label("") for tree in self.trees)
        return self.trees[self._owner(file)].label(file)

    def _owners(self, folder: str) -> dict[str, int]:
        """File of a folder -> position of its tree."""
        if folder not in self._folders:
            files = [(file, i) for i, tree in enumerate(self.trees) for file in tree.files(folder)]
            self._folders[folder] = dict(files)
        return self._folders[folder]

    def _owner(self, file: str) -> int:
        """The position of the tree of a file; of a missing one, of the nearest folder above it."""
        owners = self._owners(str(PurePosixPath(file).parent))
        if file in owners:
            return owners[file]
        for folder in PurePosixPath(file).parents:
            if self._owners(str(folder)):
                return next(iter(self._owners(str(folder)).values()))
        return 0
