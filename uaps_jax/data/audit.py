"""What is wrong, or odd, with a dataset and a split of it, before anything is trained."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from datasets.similarity import TURNS_AND_FLIPS, similar_pairs
from uaps_jax.data import splits
from uaps_jax.data.source import Dataset
from uaps_jax.data.survey import Survey

NEAR = 0.97
"""Correlation of 40 x 40 thumbnails above which two images are near duplicates."""

EXPLAINED = 0.3
"""Share of the variance of brightness above which a number in the names is called a clue."""

_FEW = 20
_LEVELS = 12
_TINY = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that an audit noticed.

    Attributes:
      level: "error": training may not start; "warning": a score may not mean what it seems to;
        "note": good to know.
      title: what, in a few words.
      text: how much of it, and what it means.
      names: images that show it, the first few.
    """

    level: str
    title: str
    text: str
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audit:
    """All that an audit found.

    Attributes:
      findings: errors first.
      near: pairs of near duplicates, as indices of the survey's names.
    """

    findings: tuple[Finding, ...]
    near: tuple[tuple[int, int], ...]


def audit(dataset: Dataset, found: Survey, split: splits.Split, height: int, width: int) -> Audit:
    """Looks at the measurements of a dataset and at a split of it.

    Args:
      dataset: the dataset.
      found: its measurements.
      split: who would see which image.
      height: of the network's input, in pixels.
      width: likewise.
    """
    near = tuple(sorted(set(similar_pairs(found.thumbnails, NEAR, TURNS_AND_FLIPS))))
    findings = [
        *_classes(dataset, found, split),
        *_masks(found),
        *_sizes(found),
        *_small_defects(dataset, found, height, width),
        *_duplicates(found),
        *_crossing(found, split, near, dataset.groups),
        *_brightness(found, dataset.groups),
    ]
    order = ("error", "warning", "note")
    return Audit(findings=tuple(sorted(findings, key=lambda f: order.index(f.level))), near=near)


def _classes(dataset: Dataset, found: Survey, split: splits.Split) -> Iterator[Finding]:
    index = {name: i for i, name in enumerate(found.names)}
    for part in ("labeled", "val", "test"):
        rows = [index[name] for name in split[part]]
        seen: list[bool] = np.any(found.pixels[rows, :-1] > 0, axis=0).tolist()
        absent = [n for n, s in zip(dataset.class_names, seen, strict=True) if not s]
        if rows and absent:
            yield Finding(
                level="error" if part == "labeled" else "warning",
                title=f"class missing from {part}",
                text=f"no pixel of {', '.join(absent)} in the {len(rows)} {part} images: "
                + (
                    "it cannot be learnt. Label more images or draw others (data.split_seed)."
                    if part == "labeled"
                    else "its score will be empty."
                ),
            )


def _masks(found: Survey) -> Iterator[Finding]:
    bare = [n for n, m in zip(found.names, found.has_mask, strict=True) if not m]
    if bare:
        yield Finding(
            level="note",
            title="images without a mask",
            text=f"{len(bare)} of {len(found.names)}; they serve as unlabeled ones.",
            names=tuple(bare[:_FEW]),
        )
    clean = found.has_mask & (found.pixels[:, 1:-1].sum(1) == 0)
    if clean.any():
        yield Finding(
            level="note",
            title="masks without a defect",
            text=f"{clean.sum()} of {found.has_mask.sum()} masks hold background only.",
            names=_named(found, clean),
        )
    ignored = found.has_mask & (found.pixels[:, -1] > 0)
    if ignored.any():
        share = found.pixels[ignored, -1].sum() / found.pixels[found.has_mask].sum()
        yield Finding(
            level="note",
            title="pixels without a label",
            text=f"in {ignored.sum()} masks, {100 * share:.2f} % of all their pixels.",
            names=_named(found, ignored),
        )
    unlabeled = found.has_mask & (found.pixels[:, :-1].sum(1) == 0)
    if unlabeled.any():
        yield Finding(
            level="warning",
            title="masks without any label",
            text=f"{unlabeled.sum()} masks are 255 throughout and teach nothing.",
            names=_named(found, unlabeled),
        )


def _sizes(found: Survey) -> Iterator[Finding]:
    counts = Counter(map(tuple, found.sizes.tolist()))
    if len(counts) > 1:
        (low_h, low_w), (high_h, high_w) = found.sizes.min(0), found.sizes.max(0)
        yield Finding(
            level="note",
            title="sizes differ",
            text=f"{len(counts)} sizes, width {low_w} to {high_w}, height {low_h} to {high_h}; "
            "data.fit says how they are made one.",
        )


def _small_defects(dataset: Dataset, found: Survey, height: int, width: int) -> Iterator[Finding]:
    area = found.sizes.prod(1)
    for label, name in enumerate(dataset.class_names[1:], start=1):
        present = found.has_mask & (found.pixels[:, label] > 0)
        shares = found.pixels[present, label] / area[present]
        if present.any() and np.median(shares) * height * width < _TINY:
            yield Finding(
                level="warning",
                title=f"{name} is tiny at the network's size",
                text=f"its median area is {np.median(shares) * height * width:.1f} pixels at "
                f"{width} x {height}; set data.height and data.width larger.",
                names=_named(found, present),
            )


def _duplicates(found: Survey) -> Iterator[Finding]:
    same: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(found.content):
        same[digest].append(index)
    sets = [indices for indices in same.values() if len(indices) > 1]
    if sets:
        yield Finding(
            level="warning",
            title="exact duplicates",
            text=f"{sum(map(len, sets))} images in {len(sets)} sets have the same pixels, up to "
            "turns and flips.",
            names=tuple(found.names[i] for indices in sets for i in indices)[:_FEW],
        )
    differing = [
        indices
        for indices in sets
        if len({found.mask_content[i] for i in indices if found.has_mask[i]}) > 1
    ]
    if differing:
        yield Finding(
            level="warning",
            title="equal images, different masks",
            text=f"{len(differing)} sets of equal images carry masks that differ.",
            names=tuple(found.names[i] for indices in differing for i in indices)[:_FEW],
        )


def _crossing(
    found: Survey,
    split: splits.Split,
    near: Sequence[tuple[int, int]],
    groups: Mapping[str, int],
) -> Iterator[Finding]:
    leaks = {part: n for part, n in splits.leaks(split, groups).items() if n}
    if leaks:
        shown = ", ".join(f"{count} in {part}" for part, count in leaks.items())
        yield Finding(
            level="warning",
            title="groups that cross the split",
            text=f"of {len(split['test'])} test images, so many belong to a group with an image "
            f"elsewhere: {shown}. data.protocol=grouped divides none.",
        )
    part_of = {name: part for part in splits.PARTS for name in split[part]}
    twins: dict[str, set[str]] = defaultdict(set)
    for pair in near:
        for one, other in (pair, pair[::-1]):
            twins[found.names[one]].add(part_of.get(found.names[other], ""))
    for part in ("labeled", "unlabeled", "val"):
        if part == "val" and splits.validates_on_test(split):
            continue
        tested = [name for name in split["test"] if part in twins[name]]
        if tested:
            yield Finding(
                level="warning",
                title=f"test images that {part} nearly contains",
                text=f"{len(tested)} of {len(split['test'])} test images have a near duplicate "
                f"(correlation above {NEAR} of thumbnails, turns and flips included) in {part}.",
                names=tuple(tested[:_FEW]),
            )
    if near:
        involved = len({index for pair in near for index in pair})
        yield Finding(
            level="note",
            title="near duplicates",
            text=f"{involved} of {len(found.names)} images have one.",
            names=tuple(found.names[i] for pair in near[: _FEW // 2] for i in pair),
        )


def _brightness(found: Survey, groups: Mapping[str, int]) -> Iterator[Finding]:
    """Clues that the same thing was shot at several exposures."""
    variance = found.brightness.var()
    if variance < 1:
        return
    for label, values in number_columns(found.names).items():
        known = np.array([value is not None for value in values])
        levels = np.array([-1 if value is None else value for value in values])
        distinct = np.unique(levels[known])
        if not 2 <= len(distinct) <= _LEVELS or known.mean() < 0.9:
            continue
        grey = found.brightness[known]
        means = {level: grey[levels[known] == level].mean() for level in distinct}
        within = np.array([means[level] for level in levels[known]])
        share = within.var() / grey.var()
        if share > EXPLAINED:
            shown = ", ".join(f"{level}: {mean:.0f}" for level, mean in means.items())
            yield Finding(
                level="warning",
                title="a number in the names tells the exposure",
                text=f"{label} explains {100 * share:.0f} % of the brightness (mean grey level by "
                f"its value: {shown}). If one thing was shot at several, its shots are one group.",
            )
    members: dict[int, list[float]] = defaultdict(list)
    for name, grey in zip(found.names, found.brightness, strict=True):
        if groups[name] >= 0:
            members[groups[name]].append(grey)
    spreads = [max(grey) - min(grey) for grey in members.values() if len(grey) > 1]
    if spreads and np.median(spreads) > np.sqrt(variance):
        yield Finding(
            level="note",
            title="brightness differs within groups",
            text=f"by {np.median(spreads):.0f} grey levels (median over {len(spreads)} groups); "
            f"all images have a standard deviation of {np.sqrt(variance):.0f}.",
        )


def number_columns(names: Sequence[str]) -> dict[str, list[int | None]]:
    """The numbers in names by their place: "the number after 'exp'" -> its value in each name."""
    columns: dict[str, list[int | None]] = {}
    for row, name in enumerate(names):
        for before, digits in re.findall(r"([^\d]*)(\d+)", name):
            word = before.rsplit("/", 1)[-1]
            label = f"the number after {word!r}" if word else "the first number"
            column = columns.setdefault(label, [None] * len(names))
            if column[row] is None:
                column[row] = int(digits)
    return columns


def _named(found: Survey, chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(found.names[i] for i in np.flatnonzero(chosen)[:_FEW])
