"""Who sees which image: pure functions from names and groups to lists of names.

A split has four parts: `labeled` and `unlabeled` training images, `val` for choosing, `test` for
the score at the end. Lists are sorted, and depend on nothing but the arguments: neither on the
order of files nor on earlier draws. Images without a mask are never anything but unlabeled.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from datasets.protocols import Parts, cut

Split = dict[str, list[str]]
PARTS = ("labeled", "unlabeled", "val", "test")
CLEAN = 0  # stands among the classes of an image without a defect


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labeled:
    """Which of the training images that have a mask are labeled.

    Attributes:
      names: these; empty if they are to be drawn.
      count: so many; 0 if `ratio` says it.
      ratio: this share, in (0, 1].
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
        chosen = _listed(labeled.names, train)
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


def _listed(names: Sequence[str], train: Collection[str]) -> list[str]:
    wrong = sorted(set(names) - set(train))
    if wrong:
        raise ValueError(
            f"data.labeled_list: {len(wrong)} of {len(set(names))} names are not training images "
            f"with a mask, {wrong[0]} among them"
        )
    return sorted(set(names))


def grouped(
    groups: Mapping[str, int],
    classes: Mapping[str, frozenset[int]],
    *,
    shares: Mapping[str, float],
    labeled: Labeled,
    seed: int,
) -> Split:
    """Re-splits all images so that no group is divided, between labeled and unlabeled neither.

    Groups without any mask are unlabeled. In the others, images without a mask stay unlabeled
    where their group is, and are left out where it is labeled, val or test. Listed labeled images
    leave the rest of their groups out. Train, val and test do not depend on what is labeled, but
    on every name, group and class set of an image with a mask: to keep them while data are added,
    save them (`split.json`) and use them by protocol "file".

    Args:
      groups: name -> group (rotations of one picture, shots of one part), of all images.
      classes: name -> foreground classes in its mask, of the images that have one; parts are
        balanced over them, the rarest first.
      shares: shares of `train`, `val` and `test`; they add up to 1.
      labeled: which training images are labeled.
      seed: of the division.

    Returns:
      The split; parts have their shares of images to within about a group, and of each class as
      nearly as its groups allow.

    Raises:
      ValueError: images whose group is not known (negative), or a request that cannot be met.
    """
    unknown = [name for name, group in groups.items() if group < 0]
    if unknown:
        raise ValueError(f"{len(unknown)} images have no known group, {unknown[0]} among them")
    members: dict[int, list[str]] = defaultdict(list)
    for name in sorted(classes):
        members[groups[name]].append(name)
    holds = {
        group: Counter(label for name in names for label in classes[name] or {CLEAN})
        for group, names in members.items()
    }
    generator = np.random.Generator(np.random.Philox(seed))
    outer = _deal(members, holds, shares, generator)
    train = {group: members[group] for group in outer["train"]}
    in_train = [name for names in train.values() for name in names]
    split = {part: [n for g in outer[part] for n in members[g]] for part in ("val", "test")}
    if labeled.names:
        split["labeled"] = _listed(labeled.names, in_train)
        fixed = {groups[name] for name in split["labeled"]}
        split["unlabeled"] = [name for name in in_train if groups[name] not in fixed]
    else:
        if labeled.count > len(in_train):
            raise ValueError(
                f"data.labeled_count = {labeled.count}: only {len(in_train)} training images have "
                "a mask"
            )
        ratio = labeled.count / len(in_train) if labeled.count else labeled.ratio
        inner = _deal(train, holds, {"unlabeled": 1 - ratio, "labeled": ratio}, generator)
        split |= {part: [n for g in own for n in members[g]] for part, own in inner.items()}
    used = {groups[name] for part in ("labeled", "val", "test") for name in split[part]}
    split["unlabeled"] += [n for n in groups if n not in classes and groups[n] not in used]
    return {part: sorted(split[part]) for part in PARTS}


def _deal(
    members: Mapping[int, Sequence[str]],
    holds: Mapping[int, Counter[int]],
    shares: Mapping[str, float],
    generator: np.random.Generator,
) -> dict[str, list[int]]:
    """Divides groups by shares of images, balanced over classes, the rarest first.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011, Alg. 1) with groups in the
    place of examples; each part gets every class while there are groups enough; then moves that
    bring the sizes of the parts to their shares.

    Args:
      members: group -> names.
      holds: group -> class -> images of it in the group.
      shares: of each part.
      generator: of the order in which groups are dealt.
    """
    groups = sorted(members)
    order = [groups[i] for i in generator.permutation(len(groups))]
    totals: Counter[int] = sum((holds[group] for group in groups), Counter())
    size = sum(len(members[group]) for group in groups)
    # What each part still wants, of every class and in all.
    wanted = {p: {c: share * n for c, n in totals.items()} for p, share in shares.items()}
    room = {part: share * size for part, share in shares.items()}
    part_of: dict[int, str] = {}

    def give(group: int, part: str, sign: int = 1) -> None:
        for label, count in holds[group].items():
            wanted[part][label] -= sign * count
        room[part] -= sign * len(members[group])

    while len(part_of) < len(groups):
        left = Counter(c for group in groups if group not in part_of for c in holds[group])
        rarest = min(left, key=lambda c: (left[c], c))
        own = [g for g in order if g not in part_of and rarest in holds[g]]
        seen = {part_of[g] for g in part_of if rarest in holds[g]}
        for index, group in enumerate(own):
            # The last groups of a class are for the parts that would go without it.
            lacking = [p for p in shares if p not in seen and room[p] > 0 and shares[p] > 0]
            among = lacking if len(own) - index <= len(lacking) else list(shares)
            part = max(among, key=lambda p: (wanted[p][rarest], room[p], p))
            seen.add(part)
            part_of[group] = part
            give(group, part)

    for _ in groups:
        full, empty = min(room, key=lambda p: (room[p], p)), max(room, key=lambda p: (room[p], p))
        gap = room[empty] - room[full]
        held = Counter(c for group in groups if part_of[group] == full for c in holds[group])
        movable = [
            group
            for group in order
            if part_of[group] == full
            and len(members[group]) < gap
            and all(held[c] > 1 for c in holds[group])
        ]
        if not movable or gap <= 1:
            break
        # The one whose classes the full part has most too much of, and the empty one too little.
        best = max(
            movable,
            key=lambda g: min(wanted[empty][c] - wanted[full][c] for c in holds[g]),
        )
        give(best, full, -1)
        give(best, empty)
        part_of[best] = empty
    return {part: [group for group in order if part_of[group] == part] for part in shares}


def check(
    split: Split,
    names: Collection[str],
    masked: Collection[str],
    groups: Mapping[str, int] | None,
) -> list[str]:
    """What is wrong with a split.

    Unknown and repeated names, labeled, val or test images without a mask, and groups that cross
    its parts. Where val is the whole test list, as some protocols have it, that is no repetition.

    Args:
      split: the four parts.
      names: all names of the dataset.
      masked: those that have a mask.
      groups: name -> group, where groups must not be divided; None where they may be.
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
        for name, part in owner.items():
            other = seen.setdefault(groups[name], part)
            if other != part:
                problems.append(f"group {groups[name]} is in {other} and in {part}")
    return problems


def validates_on_test(split: Split) -> bool:
    """Whether the test images are the validation images, which flatters the best checkpoint."""
    return bool(split["test"]) and split["val"] == split["test"]


def leaks(split: Split, groups: Mapping[str, int]) -> dict[str, int]:
    """Of how many test images another member of the group is elsewhere, and in which part.

    "train or val" counts those that have one anywhere; the parts overlap.

    Images whose group is not known (negative) count as alone.
    """
    tested = [groups[name] for name in split["test"] if groups[name] >= 0]
    parts = ("labeled", "unlabeled", *(() if validates_on_test(split) else ("val",)))
    seen = {part: {groups[name] for name in split[part]} for part in parts}
    anywhere = set[int]().union(*seen.values())
    found = {"train or val": sum(group in anywhere for group in tested)}
    return found | {part: sum(group in seen[part] for group in tested) for part in parts}
