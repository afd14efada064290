"""Problems of a dataset and of its split, before training."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.data import absent_classes, audit_leakage, audit_rough, audit_size, splits, visible
from uaps_jax.data.findings import Finding
from uaps_jax.data.source import Dataset
from uaps_jax.data.survey import Survey

EXPLAINED_VARIANCE = 0.3
"""A number in the names is reported if it explains more than this fraction of the variance of the
brightness."""

_MOST_EXPOSURES = 12  # largest number of values of a number that may be an exposure


def audit(
    dataset: Dataset, survey: Survey, split: splits.Split, data: DataConfig
) -> tuple[Finding, ...]:
    """Checks a dataset and its split.

    Args:
      dataset: the dataset.
      survey: its measurements.
      split: of the dataset.
      data: size and fit of the network's input, and whether leakage groups are given.

    Returns:
      The findings, warnings first.
    """
    found = visible.defects(dataset, survey, data)
    findings = [
        *_classes(dataset, survey, split),
        *_masks(survey),
        *audit_rough.rough_masks(survey, found),
        *audit_rough.image_labels(dataset),
        *_sizes(survey),
        *audit_size.at_the_networks_size(survey, split, data, found),
        *_duplicates(survey),
        *audit_leakage.leakage_groups(split, dataset.groups),
        *audit_leakage.near_duplicates(survey, split, _group_hint(dataset, data)),
        *_brightness(survey, dataset.groups),
    ]
    return tuple(sorted(findings, key=lambda finding: finding.level, reverse=True))


def _group_hint(dataset: Dataset, data: DataConfig) -> str:
    """The setting that says which images show the same part, where it is left out."""
    groups = dataset.groups.values()
    are_given = data.folder.group or (data.folder.table and len(set(groups)) < len(groups))
    return "" if data.name != "folder" or are_given else "data.folder.group"


def _classes(dataset: Dataset, survey: Survey, split: splits.Split) -> Iterator[Finding]:
    index = {name: i for i, name in enumerate(survey.names)}
    for part in ("labeled", "val", "test"):
        rows = [index[name] for name in split[part]]
        seen: list[bool] = np.any(survey.pixels[rows, :-1] > 0, axis=0).tolist()
        absent = [n for n, s in zip(dataset.class_names, seen, strict=True) if not s]
        if rows and absent:
            yield Finding(
                level="warning",
                title=f"class missing from {part}",
                text=absent_classes.warning(absent, len(rows))
                if part == "labeled"
                else f"no pixel of {', '.join(absent)} in the {len(rows)} {part} images: they have "
                "no score on it.",
            )


def _masks(survey: Survey) -> Iterator[Finding]:
    bare = [n for n, m in zip(survey.names, survey.has_mask, strict=True) if not m]
    if bare:
        yield Finding(
            level="note",
            title="images without a mask",
            text=f"{len(bare)} of {len(survey.names)}; they are used as unlabeled images.",
            names=tuple(bare),
        )
    if survey.clean.any():
        yield Finding(
            level="note",
            title="masks without a defect",
            text=f"{survey.clean.sum()} of {survey.has_mask.sum()} masks contain background only.",
            names=_named(survey, survey.clean),
        )
    ignored = survey.has_mask & (survey.pixels[:, -1] > 0)
    if ignored.any():
        share = survey.pixels[ignored, -1].sum() / survey.pixels[survey.has_mask].sum()
        yield Finding(
            level="note",
            title="pixels without a label",
            text=f"in {ignored.sum()} masks, {100 * share:.2f} % of all their pixels.",
            names=_named(survey, ignored),
        )
    empty = survey.has_mask & ~survey.annotated
    if empty.any():
        yield Finding(
            level="warning",
            title="masks with no annotated pixel",
            text=f"in {empty.sum()} of {survey.has_mask.sum()} masks every pixel is 255: training "
            "cannot use them, and they do not count as images without a defect.",
            names=_named(survey, empty),
        )


def _sizes(survey: Survey) -> Iterator[Finding]:
    counts = Counter(map(tuple, survey.sizes.tolist()))
    if len(counts) > 1:
        (low_h, low_w), (high_h, high_w) = survey.sizes.min(0), survey.sizes.max(0)
        yield Finding(
            level="note",
            title="sizes differ",
            text=f"{len(counts)} sizes, width {low_w} to {high_w}, height {low_h} to {high_h}; "
            "data.fit determines how they are brought to one size.",
        )


def _duplicates(survey: Survey) -> Iterator[Finding]:
    same: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(survey.content):
        same[digest].append(index)
    sets = [indices for indices in same.values() if len(indices) > 1]
    if sets:
        yield Finding(
            level="warning",
            title="exact duplicates",
            text=f"{sum(map(len, sets))} images in {len(sets)} sets have the same pixels, up to "
            "rotations by 90 degrees and flips.",
            names=tuple(survey.names[i] for indices in sets for i in indices),
        )
    differing = [
        indices
        for indices in sets
        if len({survey.mask_content[i] for i in indices if survey.has_mask[i]}) > 1
    ]
    if differing:
        yield Finding(
            level="warning",
            title="equal images, different masks",
            text=f"{len(differing)} sets of equal images have different masks.",
            names=tuple(survey.names[i] for indices in differing for i in indices),
        )


def _brightness(survey: Survey, groups: Mapping[str, int]) -> Iterator[Finding]:
    """Signs that the same part was photographed at several exposures."""
    variance = survey.brightness.var()
    if variance < 1:
        return
    for label, values in number_columns(survey.names).items():
        known = np.array([value is not None for value in values])
        levels = np.array([-1 if value is None else value for value in values])
        distinct = np.unique(levels[known])
        if not 2 <= len(distinct) <= _MOST_EXPOSURES or known.mean() < 0.9:
            continue
        grey = survey.brightness[known]
        means = {level: grey[levels[known] == level].mean() for level in distinct}
        within = np.array([means[level] for level in levels[known]])
        share = within.var() / grey.var()
        if share > EXPLAINED_VARIANCE:
            shown = ", ".join(f"{level}: {mean:.0f}" for level, mean in means.items())
            yield Finding(
                level="warning",
                title="a number in the names may be the exposure",
                text=f"{label} explains {100 * share:.0f} % of the variance of the brightness "
                f"(mean grey level for each value: {shown}). If a part was photographed at several "
                "exposures, these images must be one leakage group (data.folder.group).",
            )
    by_group: dict[int, list[float]] = defaultdict(list)
    for name, grey in zip(survey.names, survey.brightness, strict=True):
        if groups[name] >= 0:
            by_group[groups[name]].append(grey)
    ranges = [max(grey) - min(grey) for grey in by_group.values() if len(grey) > 1]
    if ranges and np.median(ranges) > np.sqrt(variance):
        yield Finding(
            level="note",
            title="brightness differs within leakage groups",
            text=f"by {np.median(ranges):.0f} grey levels (median over {len(ranges)} groups); "
            f"the standard deviation over all images is {np.sqrt(variance):.0f}.",
        )


def number_columns(names: Sequence[str]) -> dict[str, list[int | None]]:
    """The numbers in names, by position: "the number after 'exp'" -> its value in each name."""
    columns: dict[str, list[int | None]] = {}
    for row, name in enumerate(names):
        for before, digits in re.findall(r"([^\d]*)(\d+)", name):
            word = before.rsplit("/", 1)[-1]
            label = f"the number after {word!r}" if word else "the first number"
            column = columns.setdefault(label, [None] * len(names))
            if column[row] is None:
                column[row] = int(digits)
    return columns


def _named(survey: Survey, chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(survey.names[i] for i in np.flatnonzero(chosen))
