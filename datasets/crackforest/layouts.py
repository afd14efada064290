"""Finds the images and annotations of CrackForest."""

from __future__ import annotations

from pathlib import Path

from uaps_jax.datasets import locate
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.segmentation_builder import Example

_IMAGES = "image"
_MASKS = "groundTruth"
_UNKNOWN = -1

_ROOTS = ("", "CrackForest-dataset-master", "CrackForest-dataset", "CrackForest")

INSTRUCTIONS = """\
CrackForest comes from https://github.com/cuilimeng/CrackForest-dataset ("The dataset is made
available for non-commercial research purposes only."). Download the repository as an archive (Code
> Download ZIP) and put it into manual_dir (run.py looks in downloads/ where data.manual_dir names
no other folder). These are accepted:
  1. the archive as downloaded, CrackForest-dataset-master.zip; it is read in place, there is no
     need to unpack it. The name of the zip file is free, only the folders inside matter.
  2. the unpacked archive: manual_dir itself, or CrackForest-dataset-master, CrackForest-dataset or
     CrackForest in it, holds image/*.jpg and groundTruth/*.mat.
If several are there, the first of this list is used."""


def find(manual_dir: Path) -> locate.Location:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.

    Raises:
      DataError: if there is none, or if several archives hold one.
    """
    layout = locate.Layout("official", (_IMAGES, _MASKS), _ROOTS)
    return locate.find("CrackForest", manual_dir, [layout], INSTRUCTIONS)


def examples(location: locate.Location) -> tuple[list[Example], list[Problem]]:
    """Matches images with annotations by name.

    Returns:
      An example for every image and for every annotation; and a problem for every name that two
      images or two annotations have.
    """
    problems: list[Problem] = []
    images = locate.by_stem(location.tree, _IMAGES, (".jpg", ".jpeg"), problems)
    masks = locate.by_stem(location.tree, _MASKS, (".mat",), problems)
    matched = [
        Example("train", id_, images.get(id_, f"{_IMAGES}/{id_}.jpg"), masks.get(id_), _UNKNOWN)
        for id_ in sorted(images.keys() | masks.keys())
    ]
    return matched, problems
