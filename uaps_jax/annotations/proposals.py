"""Proposed masks, from which a person starts to annotate."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.folder.class_map import IGNORE_NAME
from uaps_jax.datasets.plain_text import is_plain
from uaps_jax.labels import IGNORE

REMEDY = "Rename or move these, and run the same command again."


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Proposal:
    """The mask that is proposed for one image.

    Attributes:
      name: path of the image, with its suffix, relative to the folder of the images; "/" divides.
      size: height and width.
      mask: class ids [height, width], 255 where there is no label; or a function that loads them.
      score: how much is gained by annotating this image, the larger the more; None if unknown.
    """

    name: str
    size: tuple[int, int]
    mask: np.ndarray | Callable[[], np.ndarray]
    score: float | None = None

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).with_suffix("").as_posix()

    def pixels(self, classes: Sequence[str]) -> np.ndarray:
        """The class ids, uint8 [height, width].

        Raises:
          ValueError: the mask has another size, or values that are no class ids.
        """
        values = self.mask() if callable(self.mask) else self.mask
        if values.shape != self.size:
            raise ValueError(f"{self.name}: a mask of {values.shape} for an image of {self.size}")
        held = np.unique(values).tolist()
        if wrong := [v for v in held if not 0 <= v < len(classes) and v != IGNORE]:
            raise ValueError(
                f"{self.name}: the mask holds {wrong[0]}, and there are {len(classes)} classes"
            )
        return values.astype(np.uint8)


class Writer(Protocol):
    """Writes proposals as files of one format."""

    def __call__(self, proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
        """Makes a folder with the files, or leaves nothing.

        Args:
          proposals: in the order in which they should be annotated.
          classes: names by class id; the first is the background.
          folder: does not exist, or is empty.

        Raises:
          DataError: names or classes that the format cannot hold, or a folder with files.
        """


def regions(mask: np.ndarray, classes: Sequence[str]) -> Iterator[tuple[int, str, np.ndarray]]:
    """The value, label and pixels, bool [height, width], of each class that a mask has.

    The background is left out; 255 has the label "ignore".
    """
    for value in np.unique(mask).tolist():
        if value:
            yield value, IGNORE_NAME if value == IGNORE else classes[value], mask == value


@contextlib.contextmanager
def complete_folder(
    proposals: Sequence[Proposal], classes: Sequence[str], folder: Path
) -> Iterator[Path]:
    """A folder for the files, which takes its place if the block ends without an error.

    Raises:
      DataError: the folder has files; names that are no paths below a folder, come twice or differ
        by their suffix alone; class names that come twice, or stand for no class.
    """
    problems = list(_problems(proposals, classes))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        problems.append(Problem(str(folder), "has files already; choose another folder"))
    if problems:
        raise DataError(problems, REMEDY)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _problems(proposals: Sequence[Proposal], classes: Sequence[str]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for proposal in proposals:
        path = PurePosixPath(proposal.name)
        is_below = not path.is_absolute() and ".." not in path.parts and "\\" not in proposal.name
        if not is_below or not path.suffix or not is_plain(proposal.name):
            yield Problem(proposal.name, "is no path of an image below a folder")
        elif proposal.stem in first:
            yield Problem(
                proposal.name, f"would share its file of annotations with {first[proposal.stem]}"
            )
        first.setdefault(proposal.stem, proposal.name)
    for name, count in Counter(classes).items():
        if count > 1:
            yield Problem(f"class {name}", f"comes {count} times")
        if name in (IGNORE_NAME, "") or not is_plain(name):
            yield Problem(f"class {name}", "is no name of a class")
