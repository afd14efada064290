"""The pass of a round that waits until a person has annotated the chosen images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from uaps_jax import files
from uaps_jax.acquisition.cost import Cost, Work
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import grouped, protocols, splits
from uaps_jax.data.paths import raw_folder
from uaps_jax.data.source import Dataset
from uaps_jax.data.splits import Split
from uaps_jax.recipes import candidates, curve, knowledge, shown
from uaps_jax.recipes.stage import Pass, Place, Waiting
from uaps_jax.reports import learning_curves
from uaps_jax.reports.learning_curves import Question

SHOWN = 5


def annotate(*, name: str, selected: str, base: Config, cost: Cost, question: Question) -> Pass:
    """The split with the masks that a person has made, `split.json`; without them it waits.

    Masks are those of the user's folder. Val and test stay as they were before the first round;
    where there were none, they are drawn from the first annotated images.

    Args:
      name: of the stage, and its folder.
      selected: the stage with the choice.
      base: the settings of the recipe's trainings.
      cost: of annotation.
      question: what the person is told of the scores so far, while the pass waits.
    """

    def write(place: Place) -> None:
        dataset, chosen = place.dataset, place.inputs[selected]
        picked = candidates.chosen_names(chosen)
        missing = [image for image in picked if image not in dataset.masked]
        if missing:
            raise Waiting(
                _scores(chosen, question) + _request(place, selected, picked, missing, base, cost)
            )
        labeled = candidates.labeled_names(chosen)
        before = candidates.split_of(chosen)
        split = _split(dataset, base, before, labeled)
        candidates.write_split(place.folder, split)
        candidates.write_names(place.folder / candidates.LABELED, split["labeled"])
        if (chosen / curve.ROWS).exists():
            files.write_bytes(place.folder / curve.ROWS, (chosen / curve.ROWS).read_bytes())
        work = knowledge.true_work(dataset, split["labeled"])
        summary = candidates.summary(chosen)
        candidates.write_summary(
            place.folder, summary | {"labeled": len(split["labeled"]), "work": work}
        )
        unasked = [image for image in split["unlabeled"] if image in dataset.masked]
        if unasked:
            logging.warning(
                "%d images have a mask and were not chosen, %s among them: they count as unlabeled "
                "until a round chooses them",
                len(unasked),
                unasked[0],
            )

    return Pass(
        name=name,
        folder=name,
        inputs=(selected,),
        options={
            "pass": "annotate",
            "shares": list(base.data.shares),
            "labeled_group_copies": base.data.labeled_group_copies,
        },
        write=write,
    )


def _scores(chosen: Path, question: Question) -> str:
    """The validation scores of the rounds so far, and what they foretell, a line each.

    Scores on test would decide when to stop, and no longer be independent of the rounds.
    """
    before = curve.rows_before(chosen)
    curve.require_metric(before, question.metric)
    rows = [
        row
        for row in before
        if row["checkpoint"] == question.checkpoint
        and row["part"] == "val"
        and row[question.metric] is not None
    ]
    if not rows:
        return ""
    listed = ", ".join(f"{row[question.metric]:.1f} with {row['labeled']}" for row in rows)
    fits = learning_curves.fits(rows, [rows[0]["entry"]], question)
    lines = [
        f"{question.metric} on validation so far: {listed} labeled images",
        *learning_curves.advice(fits, question),
    ]
    return "".join(f"{line}\n" for line in lines)


def _request(
    place: Place,
    selected: str,
    picked: Sequence[str],
    missing: Sequence[str],
    base: Config,
    cost: Cost,
) -> str:
    """What the person has to do."""
    folder = place.inputs[selected]
    listed = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
    where = base.data.folder
    masks = where.table or str(raw_folder(base.data) / (where.masks or "masks"))
    proposals = folder / shown.PROPOSALS
    begin = f" Predicted masks to begin with: {proposals}." if proposals.is_dir() else ""
    minutes = cost.of_work(Work(*candidates.summary(folder)["estimated_work"]))
    return (
        f"stage {selected} has chosen {len(picked)} images, about {minutes:.0f} minutes of work; "
        f"{len(missing)} of them have no mask yet: {listed}\n"
        f"All of them, in their order: {folder / candidates.IMAGES}; a picture: "
        f"{folder / shown.SHEET}.{begin}\n"
        f"Put their masks into {masks}, as you did with the others, and run the same command again."
    )


def _split(dataset: Dataset, base: Config, before: Split, labeled: Sequence[str]) -> Split:
    """The split in which these images are labeled."""
    val, test = before["val"], before["test"]
    if not val:
        parts = _first_parts(dataset, base, labeled)
        labeled, val, test = parts["labeled"], parts["val"], parts["test"]
    used = {dataset.groups[name] for name in (*val, *test)}
    if base.data.labeled_group_copies == "exclude":
        used |= {dataset.groups[name] for name in labeled}
    taken = {*labeled, *val, *test}
    unlabeled = [n for n, group in dataset.groups.items() if group not in used and n not in taken]
    return {"labeled": list(labeled), "unlabeled": unlabeled, "val": val, "test": test}


def _first_parts(dataset: Dataset, base: Config, annotated: Sequence[str]) -> Split:
    """Train, val and test of the first annotated images.

    Raises:
      ConfigError: there are too few of them.
    """
    every = splits.Labeled(names=(), count=0, ratio=1.0, seed=base.data.split_seed)
    try:
        found = grouped.grouped(
            {name: dataset.groups[name] for name in annotated},
            protocols.classes_of(dataset, annotated),
            shares=dict(zip(("train", "val", "test"), base.data.shares, strict=True)),
            labeled=every,
            seed=base.data.split_seed,
            copies="unlabeled",
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if empty := [part for part in ("labeled", "val", "test") if not found[part]]:
        raise ConfigError(
            f"of {len(annotated)} annotated images none is left for {' and '.join(empty)}: raise "
            "start_images, or set other base.data.shares"
        )
    return found
