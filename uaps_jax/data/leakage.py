"""Counts of a split by leakage groups: what its parts hold, what leaks, and what only repeats.

A leak is a test image, or one that chooses the checkpoint, whose leakage group has an image among
those that are trained on: it makes a score look better than it is. Unlabeled copies of labeled
images are no leak: they are training images all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uaps_jax.data.splits import PARTS, Split, validates_on_test

Sizes = Mapping[str, Mapping[str, int]]
"""Part, or "left out" -> "images" and "groups" -> how many."""


def sizes(split: Split, groups: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Images and leakage groups of each part and of what is left out.

    Args:
      split: the four parts.
      groups: name -> leakage group, of all images of the dataset; an image whose group is not
        known (negative) counts as one of its own.
    """
    used = {name for part in PARTS for name in split[part]}
    parts = {part: split[part] for part in PARTS}
    parts["left out"] = [name for name in groups if name not in used]
    return {
        part: {"images": len(names), "groups": _distinct(names, groups)}
        for part, names in parts.items()
    }


def described(counts: Sizes) -> str:
    """Sizes in words: "labeled 30 images of 30 leakage groups, unlabeled ...".

    What is left out is named where there is any.
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
    """Of how many test images the leakage group has an image elsewhere, and in which part.

    "train or val" counts those that have one anywhere; the parts overlap. Images whose group is
    not known (negative) count as alone.
    """
    parts = ("labeled", "unlabeled", *(() if validates_on_test(split) else ("val",)))
    return {"train or val": len(_shared(split, "test", parts, groups))} | {
        part: len(_shared(split, "test", (part,), groups)) for part in parts
    }


def val_leaks(split: Split, groups: Mapping[str, int]) -> int:
    """Of how many validation images the leakage group has a training image.

    0 where the test images validate: those are counted by `leaks`.
    """
    if validates_on_test(split):
        return 0
    return len(_shared(split, "val", ("labeled", "unlabeled"), groups))


def copies_of_labeled(split: Split, groups: Mapping[str, int]) -> list[str]:
    """The unlabeled images of the leakage group of a labeled one; no leak."""
    return _shared(split, "unlabeled", ("labeled",), groups)


def _shared(split: Split, part: str, others: Iterable[str], groups: Mapping[str, int]) -> list[str]:
    """The images of a part whose leakage group has an image in one of the others."""
    seen = {groups[name] for other in others for name in split[other] if groups[name] >= 0}
    return [name for name in split[part] if groups[name] in seen]


def _distinct(names: Iterable[str], groups: Mapping[str, int]) -> int:
    own = [groups[name] for name in names]
    return len({group for group in own if group >= 0}) + sum(group < 0 for group in own)
