"""Splits of a dataset: pure functions from names to lists of names.

A split has four parts: `labeled` and `unlabeled` training images, `val` to choose the best
checkpoint, `test` for the final score. Lists are sorted and depend on the arguments only. Images
without a mask can only be unlabeled. `grouped.py` splits by leakage groups.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

from uaps_jax.datasets.protocols import Parts, cut

Split = dict[str, list[str]]
PARTS = ("labeled", "unlabeled", "val", "test")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labeled:
    """The request which of the training images that have a mask are labeled.

    Attributes:
      names: of the labeled images; empty if they are drawn.
      count: number of images or, for `grouped.grouped`, of leakage groups; 0 if `ratio` decides.
      ratio: labeled ratio, in (0, 1].
      seed: of the draw.
    """

    names: tuple[str, ...]
    count: int
    ratio: float
    seed: int


def from_parts(parts: Parts, masked: Collection[str], labeled: Labeled) -> Split:
    """The split for given training, validation and test images.

    Args:
      parts: these images. Labeled ones are drawn from `parts.train` in its order as in UAPS's
        loaders, by scikit-learn's `train_test_split`.
      masked: names of images that have a mask.
      labeled: which training images are labeled.

    Raises:
      ValueError: the request does not fit `parts`.
    """
    train = [name for name in parts.train if name in masked]
    if labeled.names:
        chosen = listed(labeled.names, train)
    elif parts.labeled:
        if labeled.count not in parts.labeled:
            sizes = ", ".join(map(str, sorted(parts.labeled)))
            raise ValueError(
                f"data.labeled_count = {labeled.count}: this protocol has lists of labeled images; "
                f"choose one of their sizes: {sizes}"
            )
        chosen = list(parts.labeled[labeled.count])
    else:
        chosen = draw_labeled(train, labeled)
    rest = set(parts.train) - set(chosen)
    return {
        "labeled": sorted(chosen),
        "unlabeled": sorted(rest),
        "val": sorted(parts.val),
        "test": sorted(parts.test),
    }


def draw_labeled(train: Sequence[str], labeled: Labeled) -> list[str]:
    """Draws the names of labeled images; the result depends on the order of `train`.

    Raises:
      ValueError: `train` has fewer names than requested, or the ratio leaves no labeled image.
    """
    if labeled.count > len(train):
        raise ValueError(
            f"data.labeled_count = {labeled.count}: only {len(train)} training images have a mask"
        )
    # 1 - 0.7 is not exactly 0.3, and the rounding error would change the result of `ceil`.
    share = round(1 - labeled.ratio, 12)
    unlabeled = len(train) - labeled.count if labeled.count else math.ceil(len(train) * share)
    chosen, _ = cut(train, unlabeled, labeled.seed)
    if not chosen:
        raise ValueError(
            f"data.labeled_ratio = {labeled.ratio}: none of {len(train)} training images would be "
            "labeled; increase it"
        )
    return chosen


def listed(names: Sequence[str], train: Collection[str]) -> list[str]:
    """The names of a list of labeled images, sorted and without repetitions.

    Args:
      names: of the list.
      train: names of training images that have a mask.

    Raises:
      ValueError: a name is not in `train`.
    """
    wrong = sorted(set(names) - set(train))
    if wrong:
        raise ValueError(
            f"data.labeled_list: {len(wrong)} of {len(set(names))} names are not training images "
            f"with a mask, {wrong[0]} among them"
        )
    return sorted(set(names))


def check(
    split: Split,
    names: Collection[str],
    masked: Collection[str],
    groups: Mapping[str, int] | None,
    *,
    copies: bool = False,
) -> list[str]:
    """Lists the problems of a split.

    Problems are unknown and repeated names; labeled, val or test images without a mask; leakage
    groups in more than one part. Val may be the whole test list, as in some protocols.

    Args:
      split: the four parts.
      names: all names of the dataset.
      masked: names of images that have a mask.
      groups: name -> leakage group; None if groups may be divided.
      copies: whether a group may have both labeled and unlabeled images.
    """
    problems = []
    parts = [p for p in PARTS if not (p == "val" and validates_on_test(split))]
    owner: dict[str, str] = {}
    for part in parts:
        for name in split[part]:
            if name not in names:
                problems.append(f"{part}: {name} is not in the dataset")
            elif part != "unlabeled" and name not in masked:
                problems.append(f"{part}: {name} has no mask")
            if name in owner:
                problems.append(f"{name} is in {owner[name]} and in {part}")
            owner[name] = part
    if groups is not None:
        seen: dict[int, str] = {}
        train = dict.fromkeys(("labeled", "unlabeled"), "train") if copies else {}
        for name, part in owner.items():
            part = train.get(part, part)
            other = seen.setdefault(groups[name], part)
            if other != part:
                problems.append(f"leakage group {groups[name]} is in {other} and in {part}")
    return problems


def validates_on_test(split: Split) -> bool:
    """Whether val is the test list; the test score of the best checkpoint is too high then."""
    return bool(split["test"]) and split["val"] == split["test"]
