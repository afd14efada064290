"""Findings about leakage groups across the split and about near duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from uaps_jax.data import leakage, splits
from uaps_jax.data.findings import Finding
from uaps_jax.data.survey import Survey
from uaps_jax.datasets.similarity import twins

NEAR_DUPLICATE_CORRELATION = 0.97
"""Two images are near duplicates if their 40 x 40 thumbnails correlate more than this."""

LARGEST_RATE = 0.2
"""Near duplicates are not reported if a larger fraction of all pairs are near duplicates."""


def leakage_groups(split: splits.Split, groups: Mapping[str, int]) -> Iterator[Finding]:
    """Test and val images that leak, and unlabeled images of labeled leakage groups."""
    leaks = leakage.leaks(split, groups)
    if total := leaks.pop("train or val"):
        shown = ", ".join(f"{count} in {part}" for part, count in leaks.items())
        yield Finding(
            level="warning",
            title="leakage groups that cross the split",
            text=f"{total} of {len(split['test'])} test images belong to a leakage group with an "
            f"image in another part ({shown}): the test score is too high. Use "
            "data.protocol=grouped, which keeps leakage groups together.",
        )
    if count := leakage.val_leaks(split, groups):
        yield Finding(
            level="warning",
            title="leakage groups in val and in training",
            text=f"{count} of {len(split['val'])} val images belong to a leakage group with a "
            "training image: the validation score, by which the best checkpoint is chosen, is too "
            "high. Use data.protocol=grouped, which keeps leakage groups together.",
        )
    if copies := leakage.copies_of_labeled(split, groups):
        yield Finding(
            level="note",
            title="unlabeled images of labeled leakage groups",
            text=f"{len(copies)} of {len(split['unlabeled'])}; this is not a leak, because all of "
            "them are training images.",
            names=tuple(copies),
        )


def near_duplicates(survey: Survey, split: splits.Split, hint: str) -> Iterator[Finding]:
    """Near duplicates, and those that cross the split.

    Args:
      survey: of the dataset.
      split: of the dataset.
      hint: the setting that would say which images show the same part; "" if it is given.
    """
    part_of = {name: p for p, part in enumerate(splits.PARTS) for name in split[part]}
    part = np.array([part_of.get(name, len(splits.PARTS)) for name in survey.names])
    near = twins(survey.thumbnails, NEAR_DUPLICATE_CORRELATION, part, len(splits.PARTS) + 1)
    if near.share > LARGEST_RATE:
        alike = (
            f"the thumbnails of {100 * near.share:.0f} % of all pairs have a correlation above "
            f"{NEAR_DUPLICATE_CORRELATION}, as with a fixed camera: near duplicates cannot be told "
            "from images of other parts. "
        )
        yield Finding(
            level="warning" if hint else "note",
            title="images look alike",
            text=alike
            + (
                f"Set {hint}, which says which images show the same part."
                if hint
                else "The leakage groups of the dataset say which images show the same part."
            ),
        )
        return
    index = {name: row for row, name in enumerate(survey.names)}
    tested = np.array([index[name] for name in split["test"]], int)
    for p, name in enumerate(splits.PARTS[:3]):
        if name == "val" and splits.validates_on_test(split):
            continue
        crossing = tested[near.among[tested, p]]
        if len(crossing):
            yield Finding(
                level="warning",
                title=f"test images with near duplicates in {name}",
                text=f"{len(crossing)} of {len(tested)} test images have a near duplicate in "
                f"{name} (correlation of thumbnails above {NEAR_DUPLICATE_CORRELATION}, also after "
                "rotations by 90 degrees and flips).",
                names=tuple(survey.names[row] for row in crossing),
            )
    if near.examples:
        yield Finding(
            level="note",
            title="near duplicates",
            text=f"{near.among.any(1).sum()} of {len(survey.names)} images have a near duplicate.",
            names=tuple(survey.names[row] for pair in near.examples for row in pair),
        )
