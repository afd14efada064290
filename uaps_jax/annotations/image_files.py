"""The image files that annotations are for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from uaps_jax.annotations.shapes import Annotated, Shape
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder import scan

PLACES = (".", "images", "JPEGImages", "../images")
"""Where images lie, relative to the folder of the annotations."""


class Entry(NamedTuple):
    """The annotation of one image, before its file is known.

    Attributes:
      names: paths of the image relative to the folder of the images, the likeliest first; with its
        suffix, or, if `has_suffix` is false, without.
      has_suffix: whether the names have the suffix of the image's format.
      source: the file of the annotation, for messages.
      size: width and height that the annotation is for; None if it does not say.
      shapes: its regions; None if the image is not annotated.
      uploaded: name of the image as a server keeps an uploaded file; None if it was not uploaded.
      namesake: another image of the same file name, so that this name alone is none of the names.
    """

    names: Sequence[str]
    has_suffix: bool
    source: Path
    size: tuple[int, int] | None
    shapes: Sequence[Shape] | None
    uploaded: str | None = None
    namesake: str | None = None


def below(name: str) -> str:
    """A normal path below the folder of the images.

    Raises:
      ValueError: it is not below it.
    """
    normal = os.path.normpath(name.replace("\\", "/"))
    if "\0" in name or os.path.isabs(normal) or normal.split("/")[0] in ("..", "."):
        raise ValueError(f"its file {name!r} is outside of the folder of the images")
    return normal


def folder_of(entries: Sequence[Entry], candidates: Iterable[Path]) -> Path:
    """The folder that has most of the annotated images; the first one of several.

    If none has any, as it may be with uploaded images, it is the first one that is named `images`.

    Args:
      entries: the annotations.
      candidates: folders; the ones in a folder that is named `images` are candidates, too.
    """
    folders: list[Path] = []
    for folder in candidates:
        folders += [folder, *(_subfolders(folder) if folder.name == "images" else ())]

    def worth(folder: Path) -> tuple[int, bool]:
        count = sum(_has(folder, entry) for entry in entries)
        return count, not count and folder.name == "images" and folder.is_dir()

    return max(folders, key=worth)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir() and not path.is_symlink())


def _has(folder: Path, entry: Entry) -> bool:
    suffixes = [""] if entry.has_suffix else sorted(scan.IMAGE_SUFFIXES)
    paths = (folder / f"{name}{suffix}" for name in entry.names for suffix in suffixes)
    return any(path.is_file() for path in paths)


def joined(
    entries: Sequence[Entry], candidates: Iterable[Path], problems: list[Problem]
) -> list[Annotated]:
    """All images of the folder that has the annotated ones, sorted by name.

    Problems are annotations without an image, several of one image, and what `found` says.
    """
    folder = folder_of(entries, candidates)
    files = found(folder, problems)
    by_name = {file.relative_to(folder).as_posix(): name for name, file in files.items()}
    uploads: dict[str, list[str]] = {}
    for path in by_name:
        uploads.setdefault(_kept(PurePosixPath(path).name), []).append(path)
    annotated: dict[str, Entry] = {}
    missing: list[Entry] = []
    for entry in entries:
        known = files if not entry.has_suffix else by_name
        name = next((name for name in entry.names if name in known), None)
        if name is None and entry.uploaded is not None:
            of_name = uploads.get(entry.uploaded, [])
            name = of_name[0] if len(of_name) == 1 else None
        if name is None and entry.namesake is not None:
            reason = (
                f"{entry.names[0]} and {entry.namesake} have one file name, and the folders that "
                f"tell them apart are not in {folder}. Give a folder with them, --images=FOLDER"
            )
            problems.append(Problem(str(entry.source), reason))
            continue
        if name is None:
            missing.append(entry)
            continue
        name = name if not entry.has_suffix else by_name[name]
        if name in annotated:
            other = annotated[name].source
            reason = f"annotates {name}, like {other if other != entry.source else 'another entry'}"
            problems.append(Problem(str(entry.source), reason))
        annotated[name] = entry
    if missing:
        reason = (
            f"images that it annotates, and that are not in {folder}: {len(missing)}, such as "
            f"{missing[0].names[0]}. Give the folder that has them, --images=FOLDER"
        )
        problems.append(Problem(str(missing[0].source), reason))
    images = []
    for name in sorted(files):
        at = annotated.get(name)
        size, shapes = (at.size, at.shapes) if at else (None, None)
        images.append(Annotated(name, files[name], size, shapes))
    return images


def _kept(name: str) -> str:
    """The name of a file that is uploaded to Django, which keeps letters, digits, "_", "-" and ".".

    It makes "_" of spaces.
    """
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def found(folder: Path, problems: list[Problem]) -> dict[str, Path]:
    """The images below a folder by their path in it without suffix.

    Problems are two images of one name, links to files outside, and what `scan.walk` refuses.
    """
    real = os.path.realpath(folder)
    files: dict[str, Path] = {}
    for file in scan.walk(folder, problems, None, scan.OTHER_PICTURES):
        name = PurePosixPath(file.relative_to(folder)).with_suffix("").as_posix()
        target = os.path.realpath(file)
        if file.is_symlink() and not target.startswith(real + os.sep):
            reason = f"is a link to {target}, outside of {folder}: copy that file to its place"
            problems.append(Problem(str(file), reason))
        elif name in files:
            problems.append(Problem(str(file), f"a second image of this name, {name}"))
        else:
            files[name] = file
    return files
