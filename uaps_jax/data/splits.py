"""Who sees which image: pure functions from names and groups to lists of names.

A split has four parts: `labeled` and `unlabeled` training images, `val` for choosing, `test` for
the score at the end. Lists are sorted, and depend on nothing but the arguments: neither on the
order of files nor on earlier draws.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Split = dict[str, list[str]]
PARTS = ("labeled", "unlabeled", "val", "test")
T = TypeVar("T")


def train_test_split(items: Sequence[T], test_size: float, seed: int) -> tuple[list[T], list[T]]:
    """scikit-learn's `train_test_split(items, test_size=..., random_state=seed)`.

    The second part has ceil(n * test_size) items. The published splits were drawn this way.
    """
    order = np.random.RandomState(seed).permutation(len(items))
    cut = math.ceil(len(items) * test_size)
    return [items[i] for i in order[cut:]], [items[i] for i in order[:cut]]


def draw_labeled(train: Sequence[str], ratio: float, seed: int) -> tuple[list[str], list[str]]:
    """Labeled and unlabeled names, as UAPS's loaders draw them from the sorted list.

    Raises:
      ValueError: the ratio leaves no labeled image.
    """
    # 1 - 0.7 is not 0.3: the share has to be the one a person would write.
    labeled, unlabeled = train_test_split(sorted(train), round(1 - ratio, 12), seed)
    if not labeled:
        raise ValueError(
            f"data.labeled_ratio = {ratio} leaves none of {len(train)} training images labeled"
        )
    return sorted(labeled), sorted(unlabeled)


def from_lists(
    train: Sequence[str], val: Sequence[str], test: Sequence[str], *, ratio: float, seed: int
) -> Split:
    """A split whose training, validation and test images are given."""
    labeled, unlabeled = draw_labeled(train, ratio, seed)
    return {"labeled": labeled, "unlabeled": unlabeled, "val": sorted(val), "test": sorted(test)}


def grouped(
    groups: Mapping[str, int],
    classes: Mapping[str, frozenset[int]],
    *,
    shares: Mapping[str, float],
    ratio: float,
    seed: int,
) -> Split:
    """Re-splits all images so that no group is divided, between labeled and unlabeled neither.

    Args:
      groups: name -> group (rotations of one picture, shots of one part).
      classes: name -> foreground classes in its mask; parts are balanced over the sets of
        classes that occur in a group.
      shares: shares of `train`, `val` and `test`; they add up to 1.
      ratio: share of the training images that is labeled.
      seed: of the draw.

    Returns:
      The split; parts have their shares of images to within about a group per set of classes.

    Raises:
      ValueError: images whose group is not known (negative).
    """
    unknown = [name for name, group in groups.items() if group < 0]
    if unknown:
        raise ValueError(f"{len(unknown)} images have no known group, {unknown[0]} among them")
    members: dict[int, list[str]] = defaultdict(list)
    for name in sorted(groups):
        members[groups[name]].append(name)
    stratum = {
        group: tuple(sorted(frozenset[int]().union(*(classes[name] for name in names))))
        for group, names in members.items()
    }
    generator = np.random.Generator(np.random.Philox(seed))
    outer = _deal(members, stratum, shares, generator)
    train = {group: members[group] for group in outer["train"]}
    inner = _deal(train, stratum, {"unlabeled": 1 - ratio, "labeled": ratio}, generator)
    chosen = {**inner, "val": outer["val"], "test": outer["test"]}
    return {part: sorted(n for g in chosen[part] for n in members[g]) for part in PARTS}


def _deal(
    members: Mapping[int, Sequence[str]],
    stratum: Mapping[int, tuple[int, ...]],
    shares: Mapping[str, float],
    generator: np.random.Generator,
) -> dict[str, list[int]]:
    """Gives each group, in random order, to the part that is furthest behind in its stratum."""
    strata: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for group in sorted(members):
        strata[stratum[group]].append(group)
    dealt: dict[str, list[int]] = {part: [] for part in shares}
    total = dict.fromkeys(shares, 0.0)  # images each part is behind, over all strata
    for key in sorted(strata):
        behind = dict.fromkeys(shares, 0.0)
        for index in generator.permutation(len(strata[key])):
            group = strata[key][index]
            size = len(members[group])
            for part, share in shares.items():
                behind[part] += share * size
                total[part] += share * size
            part = max(shares, key=lambda p: (behind[p] + 1e-3 * total[p], p))
            behind[part] -= size
            total[part] -= size
            dealt[part].append(group)
    return dealt


def check(split: Split, names: Sequence[str], groups: Mapping[str, int] | None) -> list[str]:
    """What is wrong with a split: unknown or repeated names, and groups that cross its parts.

    Args:
      split: the four parts.
      names: all names of the dataset.
      groups: name -> group, where groups must not be divided; None where they may be.
    """
    problems = []
    known = set(names)
    owner: dict[str, str] = {}
    for part in PARTS:
        for name in split[part]:
            if name not in known:
                problems.append(f"{part}: {name} is not in the dataset")
            if name in owner:
                problems.append(f"{name} is in {owner[name]} and in {part}")
            owner[name] = part
    if groups is not None:
        seen: dict[int, str] = {}
        for name, part in owner.items():
            other = seen.setdefault(groups[name], part)
            if other != part:
                problems.append(f"group {groups[name]} is in {other} and in {part}")
    return problems
