"""Finds NEU-Seg's images and masks in any of its known layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from uaps_jax.datasets import locate
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.file_trees import FileTree

IMAGE_SUFFIXES = (".jpg", ".jpeg")
MASK_SUFFIX = ".png"


class SplitFolders(NamedTuple):
    """The folders of a split's images and masks, relative to the root of a layout."""

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

# Folders on disk that may be the root of a layout; not any folder: other data sets, such as ADE20K,
# have folders images/training and annotations/training too.
_ROOTS = ("", "NEU_Seg-main", "NEU_Seg-master", "NEU_Seg", "NEU_data", "data/NEU_data")

INSTRUCTIONS = """\
NEU-Seg comes from https://github.com/DHW-Master/NEU_Seg (its source states no licence; ask the
authors before any but research use). Download the repository as an archive (Code > Download ZIP)
and put it into manual_dir (run.py looks in downloads/ where data.manual_dir names no other folder).
These are accepted:
  1. the archive as downloaded, NEU_Seg-main.zip; it is read in place, there is no need to unpack
     it. The name of the zip file is free, only the folders inside matter.
  2. the unpacked archive: manual_dir itself, or NEU_Seg-main in it, holds
     images/{training,test}/*.jpg and annotations/{training,test}/*.png.
  3. the layout of the UAPS code: manual_dir itself, or NEU_data or data/NEU_data in it, holds
     {train_images,test_images}/*.jpg and {training_annot,test_annot}/*.png.
If several are there, the first of this list is used."""


class Pair(NamedTuple):
    """Files of an image and its mask, one of which may be missing.

    Attributes:
      split: "training" or "test".
      id: the name of the files without suffix; unique within its split only.
      image: expected file of the image.
      mask: expected file of the mask.
    """

    split: str
    id: str
    image: str
    mask: str

    @property
    def name(self) -> str:
        """Unique over both splits, for example "training/000201"."""
        return f"{self.split}/{self.id}"


def find(manual_dir: Path) -> locate.Location:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.

    Raises:
      DataError: if there is none, or if several archives hold one.
    """
    layouts = [
        locate.Layout(name, tuple(folder for split in splits.values() for folder in split), _ROOTS)
        for name, splits in LAYOUTS.items()
    ]
    return locate.find("NEU-Seg", manual_dir, layouts, INSTRUCTIONS)


def pairs(location: locate.Location) -> tuple[list[Pair], list[Problem]]:
    """Matches images with masks by name.

    Returns:
      All pairs, incomplete ones included, sorted by split and id; and a problem for every id that
      has more than one image or mask.
    """
    problems: list[Problem] = []
    matched = [
        pair
        for split, folders in LAYOUTS[location.layout].items()
        for pair in _matched(location.tree, split, folders, problems)
    ]
    return sorted(matched, key=lambda pair: (pair.split, pair.id)), problems


def _matched(
    tree: FileTree, split: str, folders: SplitFolders, problems: list[Problem]
) -> list[Pair]:
    images = locate.by_stem(tree, folders.images, IMAGE_SUFFIXES, problems)
    masks = locate.by_stem(tree, folders.masks, (MASK_SUFFIX,), problems)
    return [
        Pair(
            split,
            id_,
            images.get(id_, f"{folders.images}/{id_}{IMAGE_SUFFIXES[0]}"),
            masks.get(id_, f"{folders.masks}/{id_}{MASK_SUFFIX}"),
        )
        for id_ in images.keys() | masks.keys()
    ]
