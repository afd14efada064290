"""What a published protocol fixes: which images train, choose and test, and which are labeled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")


class Parts(NamedTuple):
    """The division of a dataset by names.

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
    """A named division of one dataset.

    Attributes:
      version: rises when the same arguments give other lists.
      images: number of images of the complete dataset that it divides.
      config: the configuration of the builder that holds them, for the error.
      parts: name -> TFDS split, of all images of the dataset, to the division. Raises `ValueError`
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


def read_list(path: Path) -> list[str]:
    """The lines of a text file, without empty ones and comments (#)."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


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
