"""Splits that keep leakage groups together.

A leakage group consists of images that show the same thing: rotations of a picture, photographs of
a part. All images of a group are in the same one of train, val and test. A budget of labels is a
number of groups: thirty images of eight pictures count as eight.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from uaps_jax.data.splits import PARTS, Labeled, Split, listed
from uaps_jax.data.stratification import stratify

Copies = Literal["exclude", "unlabeled"]
"""The other images of a labeled group: in no part of the split, or unlabeled."""

CLEAN = 0
"""Class id of images without a defect, for balancing only."""


def grouped(
    groups: Mapping[str, int],
    classes: Mapping[str, frozenset[int]],
    *,
    shares: Mapping[str, float],
    labeled: Labeled,
    seed: int,
    copies: Copies,
) -> Split:
    """Splits all images by leakage groups; one image of each labeled group is labeled.

    Val and test consist of the images of their groups that have a mask; their other images are left
    out. Of the training groups that have a mask, `labeled.count` are labeled, or the ratio
    `labeled.ratio` rounded to a whole group, balanced over classes, the rarest first;
    `representative` chooses the image of each. Two requests do not count groups: with a ratio of 1,
    all training images that have a mask are labeled; `labeled.names` are labeled as they are, even
    several of a group.

    The groups of train, val and test do not depend on what is labeled. They depend on the name,
    the group and the classes of every image with a mask: to keep a split when data are added, use
    its `split.json` with protocol "file".

    Args:
      groups: name -> leakage group, of all images.
      classes: name -> foreground classes in its mask, of the images that have one; the parts are
        balanced over them.
      shares: shares of `train`, `val` and `test`; they add up to 1.
      labeled: which training images are labeled.
      seed: of the division and of the representatives.
      copies: where the other images of a labeled group are, with a mask or without.

    Returns:
      The split. The sizes of val and test differ from their shares by about a group or less; the
      classes are balanced as well as the groups allow.

    Raises:
      ValueError: the group of an image is unknown (negative), or there are not enough images.
    """
    division = _divide(groups, classes, shares, seed)
    if labeled.names:
        chosen = listed(labeled.names, division.names)
    elif labeled.ratio == 1 and not labeled.count:
        chosen = division.names
    else:
        if labeled.count > len(division.train):
            raise ValueError(
                f"data.labeled_count = {labeled.count}: the training images that have a mask show "
                f"only {len(division.train)} distinct pictures (leakage groups), in "
                f"{len(division.names)} images"
            )
        ratio = labeled.count / len(division.train) if labeled.count else labeled.ratio
        one = {g: representative(names, classes, seed) for g, names in division.train.items()}
        parts = stratify(
            {group: [name] for group, name in one.items()},
            {group: Counter(classes[name] or {CLEAN}) for group, name in one.items()},
            {"unlabeled": 1 - ratio, "labeled": ratio},
            division.generator,
            exact=labeled.count > 0,
        )
        chosen = [one[group] for group in parts["labeled"]]
    return _assembled(groups, division, chosen, copies)


def grouped_v1(
    groups: Mapping[str, int],
    classes: Mapping[str, frozenset[int]],
    *,
    shares: Mapping[str, float],
    labeled: Labeled,
    seed: int,
) -> Split:
    """Version 1: a budget counts images, and all images of a labeled group are labeled.

    The number of labeled images differs from the count by about a group or less. Otherwise like
    `grouped` with `copies="exclude"`.

    Args:
      groups: name -> leakage group, of all images.
      classes: name -> foreground classes in its mask, of the images that have one.
      shares: shares of `train`, `val` and `test`; they add up to 1.
      labeled: which training images are labeled.
      seed: of the division.

    Raises:
      ValueError: the group of an image is unknown (negative), or there are not enough images.
    """
    division = _divide(groups, classes, shares, seed)
    if labeled.names:
        chosen = listed(labeled.names, division.names)
    else:
        images = len(division.names)
        if labeled.count > images:
            raise ValueError(
                f"data.labeled_count = {labeled.count}: only {images} training images have a mask"
            )
        ratio = labeled.count / images if labeled.count else labeled.ratio
        ratios = {"unlabeled": 1 - ratio, "labeled": ratio}
        parts = stratify(division.train, division.counts, ratios, division.generator)
        chosen = [name for group in parts["labeled"] for name in division.train[group]]
    return _assembled(groups, division, chosen, "exclude")


def representative(names: Sequence[str], classes: Mapping[str, frozenset[int]], seed: int) -> str:
    """The image of a leakage group that is labeled if the group is labeled.

    The image whose mask has the most classes; of several, the one with the lowest BLAKE2 digest of
    seed and name. It depends neither on the budget nor on other groups.

    Args:
      names: of the images of the group that have a mask.
      classes: name -> foreground classes in its mask.
      seed: of the draw.
    """

    def rank(name: str) -> tuple[int, bytes, str]:
        drawn = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
        return -len(classes[name]), drawn, name

    return min(names, key=rank)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Division:
    """Groups of train, and images of val and test.

    Attributes:
      train: group -> names of its images that have a mask.
      val, test: names of images that have a mask.
      counts: group -> class -> number of images of the group with this class.
      generator: in the state after the division, for the draw of labeled groups.
    """

    train: Mapping[int, Sequence[str]]
    val: Sequence[str]
    test: Sequence[str]
    counts: Mapping[int, Counter[int]]
    generator: np.random.Generator

    @property
    def names(self) -> list[str]:
        """The training images that have a mask."""
        return [name for names in self.train.values() for name in names]


def _divide(
    groups: Mapping[str, int],
    classes: Mapping[str, frozenset[int]],
    shares: Mapping[str, float],
    seed: int,
) -> _Division:
    """Divides the groups that have a mask into train, val and test."""
    unknown = [name for name, group in groups.items() if group < 0]
    if unknown:
        raise ValueError(
            f"the leakage group of {len(unknown)} images is unknown, {unknown[0]} among them: "
            "choose another data.protocol"
        )
    names_of: dict[int, list[str]] = defaultdict(list)
    for name in sorted(classes):
        names_of[groups[name]].append(name)
    counts = {
        group: Counter(label for name in names for label in classes[name] or {CLEAN})
        for group, names in names_of.items()
    }
    generator = np.random.Generator(np.random.Philox(seed))
    parts = stratify(names_of, counts, shares, generator)
    val, test = ([n for group in parts[p] for n in names_of[group]] for p in ("val", "test"))
    train = {group: names_of[group] for group in parts["train"]}
    return _Division(train=train, val=val, test=test, counts=counts, generator=generator)


def _assembled(
    groups: Mapping[str, int], division: _Division, labeled: Sequence[str], copies: Copies
) -> Split:
    """The split with these labeled images.

    All other images are unlabeled, except those of groups of val and test and, if copies are
    excluded, those of labeled groups.
    """
    own = set(labeled)
    used = {groups[name] for name in (*division.val, *division.test)}
    if copies == "exclude":
        used |= {groups[name] for name in labeled}
    unlabeled = [n for n, group in groups.items() if group not in used and n not in own]
    split = {"labeled": labeled, "unlabeled": unlabeled, "val": division.val, "test": division.test}
    return {part: sorted(split[part]) for part in PARTS}
