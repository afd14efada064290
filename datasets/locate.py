"""Finds raw data in any of its known layouts, in a folder or in zip files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from absl import logging

from uaps_jax.datasets.common import DataError, NothingFoundError, Problem
from uaps_jax.datasets.file_trees import Archive, FileTree, Folder


class Layout(NamedTuple):
    """The folders of a data set.

    Attributes:
      name: in reports and logs, for example "official".
      folders: the folders that hold files, relative to the root of the layout.
      roots: folders on disk that may be the root, relative to `manual_dir`; "" is the folder
      itself.
        In an archive any folder may be the root.
      partial: whether one of the folders is enough; otherwise all of them must hold files.
    """

    name: str
    folders: tuple[str, ...]
    roots: tuple[str, ...]
    partial: bool = False


class Location(NamedTuple):
    """Raw data that was found.

    Attributes:
      tree: what the files are read from.
      layout: the name of the layout.
    """

    tree: FileTree
    layout: str


def find(title: str, manual_dir: Path, layouts: Sequence[Layout], instructions: str) -> Location:
    """The raw data in a folder.

    Args:
      title: name of the data set, for reports.
      manual_dir: the folder in which the user put it.
      layouts: what to look for; archives come first, then folders on disk, each in this order.
      instructions: how to get the data and where to put it.

    Returns:
      The first layout that is complete.

    Raises:
      DataError: if there is none, or if several archives hold one. It lists the folders that were
      searched
        and the incomplete layouts.
    """
    archives, missed = in_archives(manual_dir, layouts)
    if len(archives) > 1:
        reason = f"holds {title}, and so does another archive"
        problems = [(candidate.tree.label(""), reason) for candidate in archives]
        raise DataError(problems, "Leave only one of them in manual_dir, then build again.")
    location = archives[0] if archives else on_disk(manual_dir, layouts, missed)
    if location is None:
        raise not_found(title, manual_dir, layouts, instructions, missed)
    announce(title, location)
    return location


def in_archives(
    manual_dir: Path, layouts: Sequence[Layout]
) -> tuple[list[Location], list[Problem]]:
    """All complete layouts in the zip files of a folder, and incomplete or unreadable ones."""
    missed: list[Problem] = []
    locations = []
    for archive in _archives(manual_dir, missed):
        for layout in layouts:
            roots = {root for folder in layout.folders for root in archive.roots(folder)}
            candidates = [Location(archive.within(root), layout.name) for root in sorted(roots)]
            locations += [c for c in candidates if _is_complete(c.tree, layout, missed)]
    return locations, missed


def on_disk(manual_dir: Path, layouts: Sequence[Layout], missed: list[Problem]) -> Location | None:
    """The first complete layout on disk; incomplete ones are added to `missed`."""
    for layout in layouts:
        for root in layout.roots:
            tree = Folder(manual_dir / root)
            if _is_complete(tree, layout, missed):
                return Location(tree, layout.name)
    return None


def not_found(
    title: str,
    manual_dir: Path,
    layouts: Sequence[Layout],
    instructions: str,
    missed: Sequence[Problem],
) -> NothingFoundError:
    """The error that lists the folders that were searched and the incomplete layouts."""
    roots = dict.fromkeys(root for layout in layouts for root in layout.roots)
    searched = ", ".join(["*.zip", *(root or "the folder itself" for root in roots)])
    missing = Problem(str(manual_dir), f"no {title} found here; looked in: {searched}")
    return NothingFoundError([missing, *missed], instructions)


def announce(title: str, location: Location) -> None:
    """Logs where a data set is read from."""
    logging.info("%s: reading the %s layout in %s", title, location.layout, location.tree.label(""))


def by_stem(
    tree: FileTree, folder: str, suffixes: Sequence[str], problems: list[Problem]
) -> dict[str, str]:
    """The files of a folder with one of these lower-case suffixes, by name without suffix.

    A second file of the same stem is added to `problems`.
    """
    files: dict[str, str] = {}
    for file in tree.files(folder):
        path = PurePosixPath(file)
        if path.suffix.lower() not in suffixes:
            continue
        if path.stem in files:
            other = tree.label(files[path.stem])
            problems.append(Problem(tree.label(file), f"a second file of this name, after {other}"))
        else:
            files[path.stem] = file
    return files


def _archives(manual_dir: Path, unreadable: list[Problem]) -> Iterator[Archive]:
    for path in sorted(manual_dir.glob("*.zip")):
        try:
            yield Archive(path)
        except (OSError, zipfile.BadZipFile) as error:
            # It may belong to another data set: an error only if nothing else is found.
            unreadable.append(Problem(str(path), f"not a readable zip file: {error}"))


def _is_complete(tree: FileTree, layout: Layout, incomplete: list[Problem]) -> bool:
    """Whether enough folders hold files; an incomplete layout is added to `incomplete`."""
    empty = [name for name in layout.folders if not tree.files(name)]
    if layout.partial:
        return len(empty) < len(layout.folders)
    if empty and len(empty) < len(layout.folders):
        reason = f"looks like the {layout.name} layout, but holds no files in "
        incomplete.append(Problem(tree.label(""), reason + ", ".join(empty)))
    return not empty
