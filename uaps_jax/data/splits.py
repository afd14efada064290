"""Who sees which image: pure functions from names and groups to lists of names.

A split has four parts: `labeled` and `unlabeled` training images, `val` for choosing, `test` for
the score at the end. Lists are sorted, and depend on nothing but the arguments: neither on the
order of files nor on earlier draws. Images without a mask are never anything but unlabeled.
Divisions by leakage groups are in `grouped`.
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
    """Which of the training images that have a mask are labeled.

    Attributes:
      names: these; empty if they are to be drawn.
      count: so many; 0 if `ratio` says it. Images or, for `grouped.grouped`, leakage groups.
      ratio: this ratio of them, in (0, 1].
      seed: of the draw.
    """

    names: tuple[str, ...]
    count: int
    ratio: float
    seed: int


def from_parts(parts: Parts, masked: Collection[str], labeled: Labeled) -> Split:
    """A split whose training, validation and test images are given.

    Args:
      parts: the division. Labeled images are drawn from `parts.train` in its order, by the rule
        of UAPS's loaders: scikit-learn's `train_test_split`.
      masked: the names that have a mask.
      labeled: which training images are labeled.

    Raises:
      ValueError: the request cannot be met.
    """
    train = [name for name in parts.train if name in masked]
    if labeled.names:
        chosen = listed(labeled.names, train)
    elif parts.labeled:
        if labeled.count not in parts.labeled:
            sizes = ", ".join(map(str, sorted(parts.labeled)))
            raise ValueError(
                f"data.labeled_count = {labeled.count}: this protocol lists the labeled images; "
                f"set it to one of {sizes}"
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
    """Draws labeled names; the order of `train` matters.

    Raises:
      ValueError: more are asked for than there are, or none.
    """
    if labeled.count > len(train):
        raise ValueError(
            f"data.labeled_count = {labeled.count}: only {len(train)} training images have a mask"
        )
    # 1 - 0.7 is not 0.3: the share has to be the one a person would write.
    share = round(1 - labeled.ratio, 12)
    unlabeled = len(train) - labeled.count if labeled.count else math.ceil(len(train) * share)
    chosen, _ = cut(train, unlabeled, labeled.seed)
    if not chosen:
        raise ValueError(
            f"data.labeled_ratio = {labeled.ratio} leaves none of {len(train)} training images "
            "labeled"
        )
    return chosen


def listed(names: Sequence[str], train: Collection[str]) -> list[str]:
    """The names of a list of labeled images, sorted.

    Raises:
      ValueError: some are not in `train`, the training images that have a mask.
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
    """What is wrong with a split.

    Unknown and repeated names, labeled, val or test images without a mask, and leakage groups that
    cross its parts. Where val is the whole test list, as some protocols have it, that is no
    repetition.

    Args:
      split: the four parts.
      names: all names of the dataset.
      masked: those that have a mask.
      groups: name -> leakage group, where groups must not be divided; None where they may be.
      copies: whether labeled and unlabeled images may be of one group all the same.
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
                problems.append(f"group {groups[name]} is in {other} and in {part}")
    return problems


def validates_on_test(split: Split) -> bool:
    """Whether the test images are the validation images, which flatters the best checkpoint."""
    return bool(split["test"]) and split["val"] == split["test"]
