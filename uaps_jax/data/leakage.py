"""Counts of images and leakage groups in the parts of a split, and of leaks between the parts.

A leak is a test or val image whose leakage group has an image in training (or, for a test image, in
val): the score on it is too high. Unlabeled images of labeled groups are not leaks, because both
are training images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uaps_jax.data.splits import PARTS, Split, validates_on_test

Sizes = Mapping[str, Mapping[str, int]]
"""Part, or "left out" -> "images" and "groups" -> their number."""


def sizes(split: Split, groups: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The numbers of images and leakage groups in each part, and of those in no part.

    Args:
      split: the four parts.
      groups: name -> leakage group, of all images of the dataset; an image whose group is unknown
        (negative) counts as a group of its own.
    """
    used = {name for part in PARTS for name in split[part]}
    parts = {part: split[part] for part in PARTS}
    parts["left out"] = [name for name in groups if name not in used]
    return {
        part: {"images": len(names), "groups": _distinct(names, groups)}
        for part, names in parts.items()
    }


def described(counts: Sizes) -> str:
    """Sizes as text: "labeled 30 images of 30 leakage groups, unlabeled ...".

    Images in no part are included only if there are any.
    """
    return ", ".join(
        f"{part} {numbered(size['images'], 'image')} of {numbered(size['groups'], 'leakage group')}"
        for part, size in counts.items()
        if size["images"] or part in PARTS
    )


def numbered(count: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def leaks(split: Split, groups: Mapping[str, int]) -> dict[str, int]:
    """Part -> number of test images whose leakage group has an image in this part.

    "train or val": in any other part. Images whose group is unknown (negative) do not leak.
    """
    parts = ("labeled", "unlabeled", *(() if validates_on_test(split) else ("val",)))
    return {"train or val": len(_shared(split, "test", parts, groups))} | {
        part: len(_shared(split, "test", (part,), groups)) for part in parts
    }


def val_leaks(split: Split, groups: Mapping[str, int]) -> int:
    """The number of val images whose leakage group has a training image.

    0 if val is the whole test list; `leaks` counts these images.
    """
    if validates_on_test(split):
        return 0
    return len(_shared(split, "val", ("labeled", "unlabeled"), groups))


def copies_of_labeled(split: Split, groups: Mapping[str, int]) -> list[str]:
    """The unlabeled images of labeled leakage groups."""
    return _shared(split, "unlabeled", ("labeled",), groups)


def _shared(split: Split, part: str, others: Iterable[str], groups: Mapping[str, int]) -> list[str]:
    """The images of a part whose leakage group has an image in one of the other parts."""
    seen = {groups[name] for other in others for name in split[other] if groups[name] >= 0}
    return [name for name in split[part] if groups[name] in seen]


def _distinct(names: Iterable[str], groups: Mapping[str, int]) -> int:
    own = [groups[name] for name in names]
    return len({group for group in own if group >= 0}) + sum(group < 0 for group in own)
