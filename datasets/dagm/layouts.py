"""Finds the images and masks of DAGM 2007 in any of its known layouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from uaps_jax.datasets import locate
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.dagm import labels
from uaps_jax.datasets.file_trees import FileTree, Union
from uaps_jax.datasets.pairs import Pair, match

OFFICIAL = "official"
SPLITS = ("Train", "Test")

_SUFFIX = ".PNG"
_SUFFIXES = (_SUFFIX.lower(),)
_MASK_END = "_label"

_ROOTS = ("", "DAGM2007", "DAGM", "DAGM_data", "data/DAGM", "data/DAGM_data")
_UAPS_ROOTS = ("DAGM", "DAGM_data")

INSTRUCTIONS = """\
DAGM 2007 comes from https://zenodo.org/records/8086136 (Creative Commons Attribution 4.0). Put what
you download into manual_dir (run.py looks in downloads/ where data.manual_dir names no other
folder). These are accepted:
  1. archives as downloaded, as *.zip (pack others anew): one with all classes, or several with some
     each. They are read in place. Names of zip files are free; only the folders inside matter,
     Class1 to Class10, each with {Train,Test}/NNNN.PNG, and masks in
     {Train,Test}/Label/NNNN_label.PNG. The Labels.txt of a Label folder is checked if it is there.
     One class is enough to build, but results are comparable only if all are there.
  2. the same folders, unpacked: in manual_dir itself, or in DAGM2007, DAGM, DAGM_data, data/DAGM or
     data/DAGM_data in it.
  3. for the six defective classes, the layout of the UAPS code: DAGM or DAGM_data, in manual_dir or
     in data in it, holds Train/{Images,Labels}/*.PNG, named for example cl1_0602.PNG, where the
     masks hold the class ids 0 to 6.
If several are there, the first of this list is used."""


class Half(NamedTuple):
    """The training or the test images of one class.

    Attributes:
      number: the class, 1 to 10.
      split: "Train" or "Test".
      pairs: every image and every mask; a pair has no mask file unless its id is in `masked`.
      masked: the ids that have a mask file.
    """

    number: int
    split: str
    pairs: Sequence[Pair]
    masked: frozenset[str]


def _folder(number: int, split: str) -> str:
    return f"Class{number}/{split}"


def find(manual_dir: Path, numbers: Sequence[int], uaps: bool) -> locate.Location:
    """Finds the raw data.

    Args:
      manual_dir: the folder in which the user put it, in one of the layouts of `INSTRUCTIONS`.
      numbers: the classes that are needed; one of them is enough.
      uaps: whether the layout of the UAPS code is accepted.

    Raises:
      DataError: if there is none, or if archives hold the same class.
    """
    official = tuple(_folder(number, split) for number in numbers for split in SPLITS)
    layouts = [locate.Layout(OFFICIAL, official, _ROOTS, partial=True)]
    for root in _UAPS_ROOTS if uaps else ():
        folders = (f"{root}/Train/Images", f"{root}/Train/Labels")
        layouts.append(locate.Layout(f"UAPS {root}", folders, ("", "data")))
    archives, missed = locate.in_archives(manual_dir, layouts)
    location = _combined(archives, official) or locate.on_disk(manual_dir, layouts, missed)
    if location is None:
        raise locate.not_found("DAGM 2007", manual_dir, layouts, INSTRUCTIONS, missed)
    locate.announce("DAGM 2007", location)
    return location


def _combined(
    archives: Sequence[locate.Location], folders: Iterable[str]
) -> locate.Location | None:
    """One tree of all archives; None if there are none."""
    if len(archives) < 2:
        return archives[0] if archives else None
    if any(location.layout != OFFICIAL for location in archives):
        reason = "holds DAGM 2007, and so does another archive, in another layout or twice"
        problems = [Problem(location.tree.label(""), reason) for location in archives]
    else:
        problems = []
        for folder in (part for half in folders for part in (half, f"{half}/Label")):
            holders = [
                location.tree.label(folder) for location in archives if location.tree.files(folder)
            ]
            problems += [Problem(h, f"is also in {holders[0]}") for h in holders[1:]]
    if problems:
        raise DataError(problems, "Leave only one of them in manual_dir, then build again.")
    return locate.Location(Union([location.tree for location in archives]), OFFICIAL)


def halves(tree: FileTree, numbers: Sequence[int]) -> tuple[list[Half], list[Problem]]:
    """Matches images with masks by name, in the official layout, and checks them with the lists.

    Returns:
      The halves that have any file, by class; and problems: second files of an id, masks with
      another form of name, and contradictions of a `Labels.txt`.
    """
    problems: list[Problem] = []
    halves = [_half(tree, number, split, problems) for number in numbers for split in SPLITS]
    return [half for half in halves if half.pairs], problems


def _half(tree: FileTree, number: int, split: str, problems: list[Problem]) -> Half:
    folder = _folder(number, split)
    images = locate.by_stem(tree, folder, _SUFFIXES, problems)
    masks = {}
    for stem, file in locate.by_stem(tree, f"{folder}/Label", _SUFFIXES, problems).items():
        if stem.endswith(_MASK_END):
            masks[stem.removesuffix(_MASK_END)] = file
        else:
            reason = f"no mask of DAGM 2007; their names are like 0002{_MASK_END}{_SUFFIX}"
            problems.append(Problem(tree.label(file), reason))
    image_like, mask_like = f"{folder}/{{}}{_SUFFIX}", f"{folder}/Label/{{}}{_MASK_END}{_SUFFIX}"
    pairs = match(images, masks, image_like, mask_like)
    problems += _contradictions(tree, f"{folder}/Label", pairs, images, masks)
    return Half(number, split, pairs, frozenset(masks))


def _contradictions(
    tree: FileTree,
    folder: str,
    pairs: Sequence[Pair],
    images: Mapping[str, str],
    masks: Mapping[str, str],
) -> list[Problem]:
    """The contradictions between the list of a Label folder and the files."""
    files = [f for f in tree.files(folder) if PurePosixPath(f).name == labels.FILE]
    if not files:
        return []
    path = tree.label(files[0])
    try:
        with tree.reading() as read:
            rows, malformed = labels.parse(read(files[0]))
    except OSError as error:
        return [Problem(path, f"cannot be read: {error.strerror or error}")]
    if malformed:
        # With a malformed list, files that it does not list are no problem.
        return [Problem(path, f"line {line}: {reason}") for line, reason in malformed]
    problems = []
    listed = {row.id: row.defective for row in rows}
    for pair in pairs:
        if pair.id not in listed:
            file = pair.image if pair.id in images else pair.mask
            problems.append(Problem(tree.label(file), f"not listed in {path}"))
        elif listed[pair.id] and pair.id not in masks:
            reason = f"missing mask: {path} says that {pair.id} has a defect"
            problems.append(Problem(tree.label(pair.mask), reason))
        elif not listed[pair.id] and pair.id in masks:
            reason = f"a mask, but {path} says that {pair.id} has no defect"
            problems.append(Problem(tree.label(pair.mask), reason))
    above = PurePosixPath(folder).parent
    for id_ in sorted(listed.keys() - {pair.id for pair in pairs}):
        image = tree.label(f"{above}/{id_}{_SUFFIX}")
        problems.append(Problem(image, f"missing image: {path} lists it"))
    return problems


def pool(location: locate.Location) -> tuple[list[Pair], list[Problem]]:
    """Matches images with masks by name, in the layout of the UAPS code."""
    problems: list[Problem] = []
    root = location.layout.removeprefix("UAPS ")
    folders = [f"{root}/Train/{kind}" for kind in ("Images", "Labels")]
    images, masks = (locate.by_stem(location.tree, f, _SUFFIXES, problems) for f in folders)
    return match(images, masks, *(f"{folder}/{{}}{_SUFFIX}" for folder in folders)), problems
