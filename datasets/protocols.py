"""Published protocols: the images for training, validation and test, and the labeled ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular

T = TypeVar("T")


class Parts(NamedTuple):
    """The split of a dataset, as names.

    Attributes:
      train: labeled and unlabeled images together.
      val: images for choosing a checkpoint. Where a protocol has none it is the test list, which
        makes every score at the best checkpoint optimistic.
      test: images for the score.
      labeled: size -> the labeled names, where the lists are published; otherwise they are drawn.
    """

    train: Sequence[str]
    val: Sequence[str]
    test: Sequence[str]
    labeled: Mapping[int, Sequence[str]]


class Protocol(NamedTuple):
    """A named split of one dataset.

    Attributes:
      version: raised when the same arguments give other lists.
      images: number of images of the complete dataset.
      config: the configuration of the builder that holds them, for the error.
      parts: name -> TFDS split, of all images of the dataset, to the split. Raises `ValueError`
        where images are missing that the protocol needs.
    """

    version: int
    images: int
    config: str
    parts: Callable[[Mapping[str, str]], Parts]


def train_test_split(items: Sequence[T], test_size: float, seed: int) -> tuple[list[T], list[T]]:
    """scikit-learn's `train_test_split(items, test_size=..., random_state=seed)`.

    The second part has ceil(n * test_size) items. Published splits were drawn this way.
    """
    return cut(items, math.ceil(len(items) * test_size), seed)


def cut(items: Sequence[T], test_count: int, seed: int) -> tuple[list[T], list[T]]:
    """The same with the number of items in the second part."""
    order = np.random.RandomState(seed).permutation(len(items))
    return [items[i] for i in order[test_count:]], [items[i] for i in order[:test_count]]


def of_split(names: Mapping[str, str], split: str) -> list[str]:
    """The sorted names of one TFDS split."""
    return sorted(name for name, where in names.items() if where == split)


def read_list(path: Path, known: Container[str] = ()) -> list[str]:
    """The names in a text file, one a line, without empty lines and comments (#).

    Args:
      path: the file, UTF-8.
      known: names that may begin with # or with a space.

    Raises:
      OSError: it cannot be read, is no regular file or too large.
      UnicodeDecodeError: it is not UTF-8.
    """
    names = []
    for line in read_regular(path, MOST_TEXT_BYTES).decode("utf-8-sig").split("\n"):
        name = line if line in known else line.strip()
        if name in known or (name and not name.startswith("#")):
            names.append(name)
    return names


def require(names: Sequence[str], dataset: Mapping[str, str], protocol: str) -> None:
    """Checks that a protocol's images exist.

    Raises:
      ValueError: with their number and the first of those that do not.
    """
    missing = [name for name in names if name not in dataset]
    if missing:
        raise ValueError(
            f"data.protocol = {protocol!r} needs {len(names)} images, of which {len(missing)} are "
            f"not in the dataset, {missing[0]} among them"
        )
