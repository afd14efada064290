"""Finds the images and masks of KolektorSDD2 in any of its known layouts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from absl import logging

from uaps_jax.datasets import locate
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.file_trees import Archive, FileTree
from uaps_jax.datasets.pairs import Pair, match

OFFICIAL = "official"
SPLITS = ("train", "test")

ZIP_NAME = "KolektorSDD2.zip"
ZIP_MD5 = "1ed0f628122776ace4965afa30dfe316"
"""Of the authors' archive."""

COPY = " (copy)"
"""Part of the names of two stray files in the archive: a second 10301 and its mask."""

_SUFFIX = ".png"
_MASK_END = "_GT"

_ROOTS = ("", "KolektorSDD2", "KSDD2", "KoSDD2", "KoSDD2_data")
_UAPS_ROOTS = ("KoSDD2", "KoSDD2_data")

INSTRUCTIONS = f"""\
KolektorSDD2 comes from https://www.vicos.si/resources/kolektorsdd2/ (Creative Commons
Attribution-NonCommercial-ShareAlike 4.0; for commercial use ask the authors). Download
{ZIP_NAME} and put it into manual_dir (run.py looks in downloads/ where data.manual_dir names no
other folder). These are accepted:
  1. {ZIP_NAME} as downloaded; it is read in place, there is no need to unpack it, and its md5
     is checked. A zip file of another name is accepted if it has the same folders; it is not
     checked.
  2. the unpacked archive: manual_dir itself, or KolektorSDD2, KSDD2, KoSDD2 or KoSDD2_data in it,
     holds {{train,test}}/NNNNN.png and {{train,test}}/NNNNN_GT.png.
  3. the layout of the UAPS code: KoSDD2 or KoSDD2_data, in manual_dir or in data in it, holds
     {{Train,Test}}/{{Images,Labels}}/*.png.
If several are there, the first of this list is used."""


def find(manual_dir: Path) -> locate.Location:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.

    Raises:
      DataError: if there is none, if several archives hold one, or if the archive has the official
        name and another content.
    """
    layouts = [locate.Layout(OFFICIAL, SPLITS, _ROOTS)]
    for root in _UAPS_ROOTS:
        folders = tuple(f for split in SPLITS for f in _uaps_folders(root, split))
        layouts.append(locate.Layout(f"UAPS {root}", folders, ("", "data")))
    archives, missed = locate.in_archives(manual_dir, layouts)
    archives = [archive for archive in archives if _has_masks(archive, missed)]
    if len(archives) > 1:
        reason = "holds KolektorSDD2, and so does another archive"
        problems = [Problem(location.tree.label(""), reason) for location in archives]
        raise DataError(problems, "Leave only one of them in manual_dir, then build again.")
    location = archives[0] if archives else _on_disk(manual_dir, layouts, missed)
    if location is None:
        raise locate.not_found("KolektorSDD2", manual_dir, layouts, INSTRUCTIONS, missed)
    if isinstance(location.tree, Archive):
        check_archive(location.tree.path)
    locate.announce("KolektorSDD2", location)
    return location


def _on_disk(
    manual_dir: Path, layouts: Sequence[locate.Layout], missed: list[Problem]
) -> locate.Location | None:
    for layout in layouts:
        for root in layout.roots:
            one_root = layout._replace(roots=(root,))
            location = locate.on_disk(manual_dir, [one_root], missed)
            if location and _has_masks(location, missed):
                return location
    return None


def _has_masks(location: locate.Location, missed: list[Problem]) -> bool:
    """Whether it is KolektorSDD2 at all: other data have folders called train and test too."""
    files = [PurePosixPath(file) for split in SPLITS for file in location.tree.files(split)]
    if location.layout != OFFICIAL or any(file.stem.endswith(_MASK_END) for file in files):
        return True
    reason = f"has the folders train and test, but no file in them is called *{_MASK_END}{_SUFFIX}"
    missed.append(Problem(location.tree.label(""), reason))
    return False


def check_archive(path: Path) -> None:
    """Checks an archive that has the official name; warns that another one is not checked.

    Raises:
      DataError: if its content is not the official one.
    """
    if path.name != ZIP_NAME:
        logging.warning(
            "KolektorSDD2: %s is not called %s, so it is not checked whether it is the official "
            "archive.",
            path,
            ZIP_NAME,
        )
        return
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != ZIP_MD5:
        reason = f"not the official archive, or a damaged download: its md5 is {md5}, not {ZIP_MD5}"
        raise DataError(
            [Problem(str(path), reason)],
            "Download it again. If you packed it anew on purpose, give it another name.",
        )


def pairs(location: locate.Location) -> tuple[dict[str, list[Pair]], list[Problem]]:
    """Matches images with masks by name.

    Returns:
      The pairs of each split, incomplete ones included, without the files called `COPY`; and a
      problem for every second file of a name.
    """
    problems: list[Problem] = []
    if location.layout == OFFICIAL:
        matched = {split: _official(location.tree, split, problems) for split in SPLITS}
    else:
        root = location.layout.removeprefix("UAPS ")
        matched = {s: _uaps(location.tree, *_uaps_folders(root, s), problems) for s in SPLITS}
    return matched, problems


def _uaps_folders(root: str, split: str) -> tuple[str, str]:
    return f"{root}/{split.capitalize()}/Images", f"{root}/{split.capitalize()}/Labels"


def _official(tree: FileTree, split: str, problems: list[Problem]) -> list[Pair]:
    images, masks = {}, {}
    for stem, file in locate.by_stem(tree, split, (_SUFFIX,), problems).items():
        if COPY in stem:
            continue
        if stem.endswith(_MASK_END):
            masks[stem.removesuffix(_MASK_END)] = file
        else:
            images[stem] = file
    return match(images, masks, f"{split}/{{}}{_SUFFIX}", f"{split}/{{}}{_MASK_END}{_SUFFIX}")


def _uaps(tree: FileTree, images: str, masks: str, problems: list[Problem]) -> list[Pair]:
    folders = [locate.by_stem(tree, folder, (_SUFFIX,), problems) for folder in (images, masks)]
    kept = [{stem: f for stem, f in files.items() if COPY not in stem} for files in folders]
    return match(
        kept[0],
        kept[1],
        f"{images}/{{}}{_SUFFIX}",
        f"{masks}/{{}}{_SUFFIX}",
    )
