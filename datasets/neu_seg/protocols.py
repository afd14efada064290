"""The published division of NEU-Seg's official training split."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent

GROUPED_SHARES = {"train": 3085 / 4470, "val": 545 / 4470, "test": 840 / 4470}
"""Shares of all 4470 images in a re-split by groups: those of the published division."""


def published() -> dict[str, list[str]]:
    """Returns the names of the published training and validation images.

    The two lists, 3085 and 545 names, are disjoint and together they are the official training
    split. The test set is the whole official test split and is not listed. Rotated copies of the
    same picture lie on all sides of this division (see `groups.py`); results on it compare with
    the literature, but say little about unseen steel.

    Returns:
      {"train": names, "val": names}, both sorted; a name is as in the feature `name`, for example
      "training/000201".

    Source:
      neu_seg/train.txt and neu_seg/val.txt of https://github.com/djene-mengistu/STAC.
    """
    return {split: _names(_FOLDER / f"published_{split}.txt") for split in ("train", "val")}


def _names(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [f"training/{line}" for line in lines if line and not line.startswith("#")]
