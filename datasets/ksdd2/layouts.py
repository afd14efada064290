"""Finds the images and masks of KolektorSDD2 in any layout in which people hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from absl import logging

from datasets import locate
from datasets.common import DataError, Problem
from datasets.file_trees import Archive, FileTree
from datasets.pairs import Pair, match

OFFICIAL = "official"
SPLITS = ("train", "test")

ZIP_NAME = "KolektorSDD2.zip"
ZIP_MD5 = "1ed0f628122776ace4965afa30dfe316"
"""Of the archive that the authors offer."""

COPY = " (copy)"
"""In the names of two files that the authors left in the archive: a second 10301 with its mask."""

_SUFFIX = ".png"
_MASK_END = "_GT"

_PLACES = ("", "KolektorSDD2", "KSDD2", "KoSDD2", "KoSDD2_data")
_UAPS_ROOTS = ("KoSDD2", "KoSDD2_data")

INSTRUCTIONS = f"""\
KolektorSDD2 comes from https://www.vicos.si/resources/kolektorsdd2/ (Creative Commons
Attribution-NonCommercial-ShareAlike 4.0; for commercial use ask the authors). Download
{ZIP_NAME} and put it into manual_dir (run.py looks in downloads/ where data.manual_dir names no
other folder). These are accepted:
  1. {ZIP_NAME} as downloaded; it is read in place, there is no need to unpack it, and its md5
     is checked. A zip file of another name will do if it holds the same folders; it is not checked.
  2. the unpacked archive: manual_dir itself, or KolektorSDD2, KSDD2, KoSDD2 or KoSDD2_data in it,
     holds {{train,test}}/NNNNN.png and {{train,test}}/NNNNN_GT.png.
  3. the layout of the UAPS code: KoSDD2 or KoSDD2_data, in manual_dir or in data in it, holds
     {{Train,Test}}/{{Images,Labels}}/*.png.
If several are there, the first of this list is used."""


def find(manual_dir: Path) -> locate.Found:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.

    Raises:
      DataError: if there is none, if several archives hold one, or if the archive has the official
        name and another content.
    """
    layouts = [locate.Layout(OFFICIAL, SPLITS, _PLACES)]
    for root in _UAPS_ROOTS:
        folders = tuple(f for split in SPLITS for f in _uaps_folders(root, split))
        layouts.append(locate.Layout(f"UAPS {root}", folders, ("", "data")))
    archives, missed = locate.in_archives(manual_dir, layouts)
    archives = [found for found in archives if _has_masks(found, missed)]
    if len(archives) > 1:
        reason = "holds KolektorSDD2, and so does another archive"
        problems = [Problem(found.tree.label(""), reason) for found in archives]
        raise DataError(problems, "Leave only one of them in manual_dir, then build again.")
    found = archives[0] if archives else _on_disk(manual_dir, layouts, missed)
    if found is None:
        raise locate.not_found("KolektorSDD2", manual_dir, layouts, INSTRUCTIONS, missed)
    if isinstance(found.tree, Archive):
        check_archive(found.tree.path)
    locate.announce("KolektorSDD2", found)
    return found


def _on_disk(
    manual_dir: Path, layouts: Sequence[locate.Layout], missed: list[Problem]
) -> locate.Found | None:
    for layout in layouts:
        for place in layout.places:
            one_place = layout._replace(places=(place,))
            found = locate.on_disk(manual_dir, [one_place], missed)
            if found and _has_masks(found, missed):
                return found
    return None


def _has_masks(found: locate.Found, missed: list[Problem]) -> bool:
    """Whether it is KolektorSDD2 at all: other data have folders called train and test too."""
    files = [PurePosixPath(file) for split in SPLITS for file in found.tree.files(split)]
    if found.layout != OFFICIAL or any(file.stem.endswith(_MASK_END) for file in files):
        return True
    reason = f"has the folders train and test, but no file in them is called *{_MASK_END}{_SUFFIX}"
    missed.append(Problem(found.tree.label(""), reason))
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


def pairs(found: locate.Found) -> tuple[dict[str, list[Pair]], list[Problem]]:
    """Matches images with masks by name.

    Returns:
      The pairs of each split, incomplete ones included, without the files called `COPY`; and a
      problem for every second file of a name.
    """
    problems: list[Problem] = []
    if found.layout == OFFICIAL:
        matched = {split: _official(found.tree, split, problems) for split in SPLITS}
    else:
        root = found.layout.removeprefix("UAPS ")
        matched = {s: _uaps(found.tree, *_uaps_folders(root, s), problems) for s in SPLITS}
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
    found = [locate.by_stem(tree, folder, (_SUFFIX,), problems) for folder in (images, masks)]
    kept = [{stem: f for stem, f in files.items() if COPY not in stem} for files in found]
    return match(
        kept[0],
        kept[1],
        f"{images}/{{}}{_SUFFIX}",
        f"{masks}/{{}}{_SUFFIX}",
    )
