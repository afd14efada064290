"""Divisions across which no leakage group passes.

A leakage group is what shows the same thing: the rotations of one picture, the shots of one part.
Groups are dealt to train, val and test whole. Budgets of labels count groups: thirty images of
eight pictures are eight.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from uaps_jax.data.dealing import deal
from uaps_jax.data.splits import PARTS, Labeled, Split, listed

Copies = Literal["exclude", "unlabeled"]
"""What becomes of the other images of a labeled group: in no part, or unlabeled."""

CLEAN = 0  # stands among the classes of an image without a defect


def grouped(
    groups: Mapping[str, int],
    classes: Mapping[str, frozenset[int]],
    *,
    shares: Mapping[str, float],
    labeled: Labeled,
    seed: int,
    copies: Copies,
) -> Split:
    """Re-splits all images by leakage groups; one image of each labeled group is labeled.

    Val and test take the images with a mask of their groups; those without are left out. Of the
    training groups that have a mask, `labeled.count` are labeled, or the ratio `labeled.ratio` to
    the nearest group, balanced over classes, the rarest first. Which image of a group:
    `representative`. Two requests are no budget: with a ratio of 1 all training images that have a
    mask are labeled, and `labeled.names` are labeled as they are, several of a group too.
    The groups of train, val and test do not depend on what is labeled, but on every name, group
    and class set of an image with a mask: to keep them while data are added, save them
    (`split.json`) and use them by protocol "file".

    Args:
      groups: name -> leakage group, of all images.
      classes: name -> foreground classes in its mask, of the images that have one; parts are
        balanced over them.
      shares: shares of `train`, `val` and `test`; they add up to 1.
      labeled: which training images are labeled.
      seed: of the division and of the representatives.
      copies: what becomes of the other images of a labeled group, with a mask or without.

    Returns:
      The split; val and test have their shares of images to within about a group, and of each
      class as nearly as its groups allow.

    Raises:
      ValueError: images whose group is not known (negative), or a request that cannot be met.
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
        dealt = deal(
            {group: [name] for group, name in one.items()},
            {group: Counter(classes[name] or {CLEAN}) for group, name in one.items()},
            {"unlabeled": 1 - ratio, "labeled": ratio},
            division.generator,
            exact=labeled.count > 0,
        )
        chosen = [one[group] for group in dealt["labeled"]]
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

    A count is met to within about a group. Otherwise as `grouped` with copies excluded.

    Args:
      groups: name -> leakage group, of all images.
      classes: name -> foreground classes in its mask, of the images that have one.
      shares: shares of `train`, `val` and `test`; they add up to 1.
      labeled: which training images are labeled.
      seed: of the division.

    Raises:
      ValueError: images whose group is not known (negative), or a request that cannot be met.
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
        parts = {"unlabeled": 1 - ratio, "labeled": ratio}
        dealt = deal(division.train, division.holds, parts, division.generator)
        chosen = [name for group in dealt["labeled"] for name in division.train[group]]
    return _assembled(groups, division, chosen, "exclude")


def representative(names: Sequence[str], classes: Mapping[str, frozenset[int]], seed: int) -> str:
    """The image of a leakage group that is labeled if the group is.

    One whose mask holds as many classes as any of the group's; of several, the one with the lowest
    BLAKE2 digest of seed and name. It depends on neither the budget nor other groups.

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
    """Which groups train, choose and test.

    Attributes:
      train: group -> names of its images that have a mask.
      val, test: names of images that have a mask.
      holds: group -> class -> images of it in the group.
      generator: after the draw of the division, for what is drawn next.
    """

    train: Mapping[int, Sequence[str]]
    val: Sequence[str]
    test: Sequence[str]
    holds: Mapping[int, Counter[int]]
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
    """Deals the groups that have a mask to train, val and test."""
    unknown = [name for name, group in groups.items() if group < 0]
    if unknown:
        raise ValueError(f"{len(unknown)} images have no known group, {unknown[0]} among them")
    names_of: dict[int, list[str]] = defaultdict(list)
    for name in sorted(classes):
        names_of[groups[name]].append(name)
    holds = {
        group: Counter(label for name in names for label in classes[name] or {CLEAN})
        for group, names in names_of.items()
    }
    generator = np.random.Generator(np.random.Philox(seed))
    dealt = deal(names_of, holds, shares, generator)
    val, test = ([n for group in dealt[p] for n in names_of[group]] for p in ("val", "test"))
    train = {group: names_of[group] for group in dealt["train"]}
    return _Division(train=train, val=val, test=test, holds=holds, generator=generator)


def _assembled(
    groups: Mapping[str, int], division: _Division, labeled: Sequence[str], copies: Copies
) -> Split:
    """The split with these labeled images.

    Unlabeled are all others, but for those of val's and test's groups and, where copies are
    excluded, those of labeled groups.
    """
    own = set(labeled)
    used = {groups[name] for name in (*division.val, *division.test)}
    if copies == "exclude":
        used |= {groups[name] for name in labeled}
    unlabeled = [n for n, group in groups.items() if group not in used and n not in own]
    split = {"labeled": labeled, "unlabeled": unlabeled, "val": division.val, "test": division.test}
    return {part: sorted(split[part]) for part in PARTS}
