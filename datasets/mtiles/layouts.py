"""Finds the images and masks of the magnetic tiles in any of its known layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from uaps_jax.datasets import locate
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.mtiles.groups import UNKNOWN, groups
from uaps_jax.datasets.pairs import match
from uaps_jax.datasets.segmentation_builder import Example

OFFICIAL = "official"
FREE = "Free"

CLASSES: Mapping[str, int] = {
    "Blowhole": 1,
    "Break": 2,
    "Crack": 3,
    "Fray": 4,
    "Uneven": 5,
    FREE: 0,
}
"""Class, as the official folders call it, to id."""

_IMAGES = (".jpg", ".jpeg")
_MASKS = (".png",)

_ROOTS = (
    "",
    "Magnetic-tile-defect-datasets.-master",
    "Magnetic-tile-defect-datasets.",
    "Magnetic-Tile-Defect",
)
_UAPS_ROOTS = ("MTiles", "MTiles_data")

INSTRUCTIONS = """\
The magnetic tiles come from https://github.com/abin24/Magnetic-tile-defect-datasets. (the dot is
part of the name). The source states no licence, but "It is welcomed to use our dataset. And if it
is used in your research, please cite our paper". Download the repository as an archive (Code >
Download ZIP) and put it into manual_dir (run.py looks in downloads/ where data.manual_dir names no
other folder). These are accepted:
  1. the archive as downloaded, Magnetic-tile-defect-datasets.-master.zip; it is read in place,
     there is no need to unpack it. The name of the zip file is free, only the folders
     inside matter.
  2. the unpacked archive: manual_dir itself, or Magnetic-tile-defect-datasets.-master,
     Magnetic-tile-defect-datasets. or Magnetic-Tile-Defect in it, holds MT_<Class>/Imgs with *.jpg
     and *.png. MT_Free is needed only by the configs with defect-free tiles.
  3. the layout of the UAPS code: MTiles or MTiles_data, in manual_dir or in data in it, holds
     images/*.jpg and labels/*.png, where the masks hold the class ids 0 to 5.
If several are there, the first of this list is used."""


class Folders(NamedTuple):
    """The folders of the images and masks of one class, or of all; and the class."""

    images: str
    masks: str
    label: int | None


def _official(name: str) -> Folders:
    return Folders(f"MT_{name}/Imgs", f"MT_{name}/Imgs", CLASSES[name])


def _folders(layout: str, free: bool) -> list[Folders]:
    if layout == OFFICIAL:
        return [_official(name) for name in CLASSES if free or name != FREE]
    root = layout.removeprefix("UAPS ")
    return [Folders(f"{root}/images", f"{root}/labels", None)]


def find(manual_dir: Path, free: bool) -> locate.Location:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.
      free: whether the defect-free tiles are needed.

    Raises:
      DataError: if there is none, or if several archives hold one.
    """
    uaps = {f"UAPS {root}": ("", "data") for root in _UAPS_ROOTS}
    layouts = [
        locate.Layout(name, _distinct(_folders(name, free)), roots)
        for name, roots in {OFFICIAL: _ROOTS, **uaps}.items()
    ]
    return locate.find("magnetic-tile data", manual_dir, layouts, INSTRUCTIONS)


def _distinct(folders: list[Folders]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folder for f in folders for folder in (f.images, f.masks)))


def examples(location: locate.Location, free: bool) -> tuple[list[Example], list[Problem]]:
    """Matches images with masks by name.

    Returns:
      An example for every image and every mask, with its leakage group; and a problem for every
      name that two images or two masks of a folder have.
    """
    problems: list[Problem] = []
    matched = []
    for folders in _folders(location.layout, free):
        images = locate.by_stem(location.tree, folders.images, _IMAGES, problems)
        masks = locate.by_stem(location.tree, folders.masks, _MASKS, problems)
        likely = f"{folders.images}/{{}}{_IMAGES[0]}", f"{folders.masks}/{{}}{_MASKS[0]}"
        for pair in match(images, masks, *likely):
            matched.append(
                Example("train", pair.id, pair.image, pair.mask, UNKNOWN, label=folders.label)
            )
    names = [example.name for example in matched]
    if location.layout == OFFICIAL and not free:
        # Groups are the same in all configs: defect-free pictures of a tile link its others.
        names += locate.by_stem(location.tree, _official(FREE).images, _IMAGES, [])
    tiles = groups(dict.fromkeys(names))
    ordered = sorted(matched, key=lambda example: example.name)
    return [example._replace(group=tiles[example.name]) for example in ordered], problems
