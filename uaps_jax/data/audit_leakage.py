"""Findings about images that show the same thing: across the split, and as thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from uaps_jax.data import leakage, splits
from uaps_jax.data.findings import Finding
from uaps_jax.data.survey import Survey
from uaps_jax.datasets.similarity import twins

NEAR = 0.97
"""Correlation of 40 x 40 thumbnails above which two images are near duplicates."""

ALIKE = 0.2
"""Share of all pairs above which near duplicates mean nothing."""


def leakage_groups(split: splits.Split, groups: Mapping[str, int]) -> Iterator[Finding]:
    """What leaks, and how many unlabeled images only repeat labeled ones."""
    leaks = leakage.leaks(split, groups)
    if total := leaks.pop("train or val"):
        shown = ", ".join(f"{count} in {part}" for part, count in leaks.items())
        yield Finding(
            level="warning",
            title="leakage groups that cross the split",
            text=f"{total} of {len(split['test'])} test images belong to a leakage group with an "
            f"image in another part ({shown}): the score is flattered. data.protocol=grouped has "
            "none.",
        )
    if count := leakage.val_leaks(split, groups):
        yield Finding(
            level="warning",
            title="leakage groups of val that are trained on",
            text=f"{count} of {len(split['val'])} val images belong to a leakage group with a "
            "training image: the score that chooses the best checkpoint is flattered. "
            "data.protocol=grouped has none.",
        )
    if copies := leakage.copies_of_labeled(split, groups):
        yield Finding(
            level="note",
            title="unlabeled images of labeled leakage groups",
            text=f"{len(copies)} of {len(split['unlabeled'])}; no leak, all of them are training "
            "images.",
            names=tuple(copies),
        )


def near_duplicates(survey: Survey, split: splits.Split) -> Iterator[Finding]:
    """Near duplicates, and those that cross the split."""
    part_of = {name: p for p, part in enumerate(splits.PARTS) for name in split[part]}
    part = np.array([part_of.get(name, len(splits.PARTS)) for name in survey.names])
    near = twins(survey.thumbnails, NEAR, part, len(splits.PARTS) + 1)
    if near.share > ALIKE:
        yield Finding(
            level="warning",
            title="images look alike",
            text=f"{100 * near.share:.0f} % of all pairs correlate above {NEAR} as thumbnails, as "
            "under a fixed camera: near duplicates cannot be told from other parts. Tell which "
            "images show the same part: data.folder.group.",
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
                title=f"test images that {name} nearly contains",
                text=f"{len(crossing)} of {len(tested)} test images have a near duplicate "
                f"(correlation above {NEAR} of thumbnails, turns and flips included) in {name}.",
                names=tuple(survey.names[row] for row in crossing),
            )
    if near.examples:
        yield Finding(
            level="note",
            title="near duplicates",
            text=f"{near.among.any(1).sum()} of {len(survey.names)} images have one.",
            names=tuple(survey.names[row] for pair in near.examples for row in pair),
        )
