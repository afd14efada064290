"""Finds NEU-Seg's images and masks in any layout in which people hold them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from absl import logging

from datasets.common import DataError, Problem
from datasets.file_trees import Archive, FileTree, Folder

IMAGE_SUFFIXES = (".jpg", ".jpeg")
MASK_SUFFIX = ".png"


class SplitFolders(NamedTuple):
    """Where one split keeps its images and its masks, relative to the root of a layout."""

    images: str
    masks: str


LAYOUTS: Mapping[str, Mapping[str, SplitFolders]] = {
    "official": {
        "training": SplitFolders("images/training", "annotations/training"),
        "test": SplitFolders("images/test", "annotations/test"),
    },
    "UAPS": {
        "training": SplitFolders("train_images", "training_annot"),
        "test": SplitFolders("test_images", "test_annot"),
    },
}
"""Layout -> the official name of a split -> its folders."""

# Where the root of a layout may lie on disk. Not any folder: other data sets, ADE20K for one, call
# their folders images/training and annotations/training too.
_ROOTS_ON_DISK = ("", "NEU_Seg-main", "NEU_Seg-master", "NEU_Seg", "NEU_data", "data/NEU_data")

INSTRUCTIONS = """\
NEU-Seg comes from https://github.com/DHW-Master/NEU_Seg (its source states no licence; ask the
authors before any but research use). Download the repository as an archive (Code > Download ZIP)
and put it into manual_dir. These are accepted:
  1. the archive as downloaded, NEU_Seg-main.zip; it is read in place, there is no need to unpack
     it. The name of the zip file is free, what counts are the folders inside.
  2. the unpacked archive: manual_dir itself, or NEU_Seg-main in it, holds
     images/{training,test}/*.jpg and annotations/{training,test}/*.png.
  3. the layout of the UAPS code: manual_dir itself, or NEU_data or data/NEU_data in it, holds
     {train_images,test_images}/*.jpg and {training_annot,test_annot}/*.png.
If several are there, the first of this list is used."""


class Pair(NamedTuple):
    """An image and its mask, as names of files in a tree; None where there is no such file.

    Attributes:
      split: "training" or "test".
      id: the name of the files without suffix; unique within its split only.
      image: file of the image.
      mask: file of the mask.
    """

    split: str
    id: str
    image: str | None
    mask: str | None

    @property
    def name(self) -> str:
        """Unique over both splits, for example "training/000201"."""
        return f"{self.split}/{self.id}"


class Found(NamedTuple):
    """Raw data that was found.

    Attributes:
      tree: what the files are read from.
      layout: a key of `LAYOUTS`.
    """

    tree: FileTree
    layout: str

    def expected(self, pair: Pair) -> tuple[str, str]:
        """How reports name the image and the mask of a pair, whether they exist or not."""
        folders = LAYOUTS[self.layout][pair.split]
        image = pair.image or f"{folders.images}/{pair.id}{IMAGE_SUFFIXES[0]}"
        mask = pair.mask or f"{folders.masks}/{pair.id}{MASK_SUFFIX}"
        return self.tree.label(image), self.tree.label(mask)


def find(manual_dir: Path) -> Found:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.

    Returns:
      The first layout, in the order of `INSTRUCTIONS`, of which all four folders hold files.

    Raises:
      DataError: if there is none, or if several archives hold one. It says what was looked for,
        where, and how near each place came.
    """
    unreadable: list[Problem] = []
    incomplete: list[Problem] = []
    archives = [
        candidate
        for archive in _archives(manual_dir, unreadable)
        for candidate in _in_archive(archive)
        if _is_complete(candidate, incomplete)
    ]
    if len(archives) > 1:
        reason = "holds NEU-Seg, and so does another archive"
        problems = [(candidate.tree.label(""), reason) for candidate in archives]
        raise DataError(problems, "Leave only one of them in manual_dir, then build again.")
    on_disk = (c for c in _on_disk(manual_dir) if _is_complete(c, incomplete))
    found = archives[0] if archives else next(on_disk, None)
    if found is None:
        looked = ", ".join(["*.zip", *(root or "the folder itself" for root in _ROOTS_ON_DISK)])
        missing = Problem(str(manual_dir), f"no NEU-Seg found here; looked in: {looked}")
        raise DataError([missing, *unreadable, *incomplete], INSTRUCTIONS)
    logging.info("NEU-Seg: reading the %s layout in %s", found.layout, found.tree.label(""))
    return found


def pairs(found: Found) -> tuple[list[Pair], list[Problem]]:
    """Matches images with masks by name.

    Args:
      found: the raw data.

    Returns:
      All pairs, incomplete ones included, sorted by split and id; and a problem for every id that
      has more than one image or mask.
    """
    matched: list[Pair] = []
    problems: list[Problem] = []
    for split, folders in LAYOUTS[found.layout].items():
        images = _by_id(found.tree, folders.images, IMAGE_SUFFIXES, problems)
        masks = _by_id(found.tree, folders.masks, (MASK_SUFFIX,), problems)
        ids = sorted(images.keys() | masks.keys())
        matched += [Pair(split, id_, images.get(id_), masks.get(id_)) for id_ in ids]
    return sorted(matched, key=lambda pair: (pair.split, pair.id)), problems


def _archives(manual_dir: Path, unreadable: list[Problem]) -> Iterator[Archive]:
    for path in sorted(manual_dir.glob("*.zip")):
        try:
            yield Archive(path)
        except (OSError, zipfile.BadZipFile) as error:
            # It may be another data set's, so it counts only if nothing else is found.
            unreadable.append(Problem(str(path), f"not a readable zip file: {error}"))


def _in_archive(archive: Archive) -> Iterator[Found]:
    for layout, splits in LAYOUTS.items():
        for root in archive.roots(splits["training"].images):
            yield Found(archive.within(root), layout)


def _on_disk(manual_dir: Path) -> Iterator[Found]:
    for layout in LAYOUTS:
        for root in _ROOTS_ON_DISK:
            yield Found(Folder(manual_dir / root), layout)


def _is_complete(candidate: Found, incomplete: list[Problem]) -> bool:
    """Whether all four folders hold files; a near miss goes into `incomplete`."""
    folders = [name for split in LAYOUTS[candidate.layout].values() for name in split]
    empty = [name for name in folders if not candidate.tree.files(name)]
    if empty and len(empty) < len(folders):
        reason = f"looks like the {candidate.layout} layout, but holds no files in "
        incomplete.append(Problem(candidate.tree.label(""), reason + ", ".join(empty)))
    return not empty


def _by_id(
    tree: FileTree, folder: str, suffixes: tuple[str, ...], problems: list[Problem]
) -> dict[str, str]:
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
