"""The pass of a round that chooses the images to annotate."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from uaps_jax import files, inference
from uaps_jax.acquisition.cost import NONE, Cost, Work
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import protocols
from uaps_jax.inference import TrainedModel
from uaps_jax.recipes import acquire, candidates, curve, image_features, knowledge, shown
from uaps_jax.recipes.acquire import AcquisitionConfig, Known
from uaps_jax.recipes.candidates import ANNOTATED, CHOSEN, OTHER, Row
from uaps_jax.recipes.observe import Observed
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.training import checkpoints


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """What a round chooses, and how.

    Attributes:
      number: 0 for the start.
      acquisition: of the round.
      count: images that it adds; of the start, images that are labeled after it; 0 if minutes
        decide.
      minutes: of annotation after it, in total, without the start.
      cost: of annotation.
      simulated: whether the chosen images are annotated by the masks of the dataset.
      steps: of the checkpoints that are compared besides the last one.
    """

    number: int
    acquisition: AcquisitionConfig
    count: int
    minutes: float
    cost: Cost
    simulated: bool
    steps: tuple[int, ...]

    @property
    def features(self) -> str:
        """Of the images, where they are not those of the training before; "" if none are used."""
        own = self.acquisition
        of_training = own.features == "network" and self.number > 0
        return "" if own.selection not in acquire.BY_FEATURES or of_training else own.features

    def options(self) -> dict[str, Any]:
        """What the choice depends on, for `stage.json`: on the cost only where minutes decide."""
        found = dataclasses.asdict(self)
        if self.count:
            del found["cost"]
        own = {k: v for k, v in acquire.description(self.acquisition).items() if k != "features"}
        if self.acquisition.selection == "hybrid":
            own["version"] = acquire.HYBRID_VERSION
        return found | {"pass": "select", "features": self.features, "acquisition": own}


def select(*, name: str, entry: str, base: Config, round_: Round, before: str, model: str) -> Pass:
    """The choice of a round, in `images.csv`, `labeled.txt`, `summary.json` and `chosen.png`.

    With files of a person, `proposals/NAME.png` has the predicted masks of the chosen images too,
    and `split.json` the split before the round.

    Args:
      name: of the stage, and its folder.
      entry: the strategy, for the rows of scores; "" for the start.
      base: the settings of the recipe's trainings.
      round_: what is chosen.
      before: the stage with the labels so far; "" for the start.
      model: the stage of the training on them; "" for the start.
    """

    def write(place: Place) -> None:
        dataset, config = place.dataset, base
        trained: list[TrainedModel] = []
        if model:
            trained = _models(place.inputs[model], round_)
            config = trained[-1].config
            rows = curve.rows_before(place.inputs[before]) + curve.rows_of(
                place.inputs[model],
                entry,
                round_.number - 1,
                place.inputs[before],
                round_.cost,
            )
            curve.write_rows(place.folder, rows)
        split = (
            place.split
            if not before or round_.simulated
            else candidates.split_of(place.inputs[before])
        )
        labeled = (
            candidates.labeled_names(place.inputs[before])
            if before
            else ([] if round_.simulated else split["labeled"])
        )
        names = knowledge.candidates_of(dataset, base, split, labeled, simulated=round_.simulated)
        known, predicted = knowledge.known(
            round_.acquisition, round_.cost, round_.features, base, dataset, names, trained
        )
        chosen = _chosen(round_, base, place, before, names, labeled, known)
        rows_of_images = _rows(names, labeled, chosen, known, predicted)
        files.write_text(place.folder / candidates.IMAGES, candidates.to_csv(rows_of_images))
        picked = [names[index] for index in chosen]
        candidates.write_names(place.folder / candidates.LABELED, {*labeled, *picked})
        if not round_.simulated:
            candidates.write_split(place.folder, split)
            if predicted is not None:
                shown.propose(place, config, names, chosen, predicted.masks)
        summary = _summary(round_, place, before, labeled, picked, known, chosen)
        candidates.write_summary(place.folder, summary)
        logging.info(
            "stage %s: %d of %d candidates chosen, %d labeled then, about %.0f minutes",
            name,
            len(picked),
            len(names) - len(labeled),
            len(labeled) + len(picked),
            known.minutes[chosen].sum(),
        )
        if picked:
            masks = None if predicted is None else predicted.masks
            shown.draw(place, names, chosen, rows_of_images, masks)

    return Pass(
        name=name,
        folder=name,
        inputs=(before, model) if model else (),
        options=round_.options()
        | {"entry": entry, "seed": base.data.split_seed}
        | (image_features.options(round_.features, base) if round_.features else {}),
        write=write,
    )


def _models(run: Path, round_: Round) -> list[TrainedModel]:
    """The model of a training; before it, those of the checkpoints that are compared."""
    if round_.steps:
        last = inference.load(run, "latest")
        return [*(last.at(step) for step in round_.steps), last]
    return [inference.load(run, checkpoints.existing(run, "best"))]


def _chosen(
    round_: Round,
    base: Config,
    place: Place,
    before: str,
    names: Sequence[str],
    labeled: Sequence[str],
    known: Known,
) -> list[int]:
    """The rows of the chosen candidates, in their order.

    Raises:
      ConfigError: there are not enough candidates for a number of images, or none that the minutes
        pay. Minutes that find no candidate choose none.
    """
    at = {name: index for index, name in enumerate(names)}
    taken = [at[name] for name in labeled]
    seed = (base.data.split_seed, round_.number)
    left = len(names) - len(taken)
    if round_.count:
        count = round_.count if round_.number else max(0, round_.count - len(labeled))
        if count > left:
            raise ConfigError(
                f"round {round_.number} wants {count} further images, and {left} candidates are "
                "left: choose fewer in start_images or added"
            )
        return acquire.choose(round_.acquisition, known, count, seed, taken)
    if not left:
        logging.warning(
            "round %d: no candidate is left; nothing is chosen, and the report leaves it out",
            round_.number,
        )
        return []
    minutes = round_.minutes - candidates.summary(place.inputs[before]).get("spent_minutes", 0.0)
    picked = acquire.choose_for_minutes(round_.acquisition, known, minutes, seed, taken)
    if not picked:
        cheapest = float(np.delete(known.minutes, taken).min())
        raise ConfigError(
            f"round {round_.number}: {minutes:.1f} minutes pay none of the {left} candidates that "
            f"are left, of which the cheapest takes {cheapest:.1f}: raise added, or correct the "
            "settings of cost"
        )
    return picked


def _rows(
    names: Sequence[str],
    labeled: Collection[str],
    chosen: Sequence[int],
    known: Known,
    predicted: Observed | None,
) -> list[Row]:
    order = {index: number for number, index in enumerate(chosen, start=1)}
    annotated = set(labeled)
    return [
        Row(
            name=name,
            state=CHOSEN if index in order else ANNOTATED if name in annotated else OTHER,
            order=order.get(index, 0),
            score=None if known.scores is None else float(known.scores[index]),
            share=None if predicted is None else 100 * float(predicted.shares[index]),
            minutes=float(known.minutes[index]),
        )
        for index, name in enumerate(names)
    ]


def _summary(
    round_: Round,
    place: Place,
    before: str,
    labeled: Sequence[str],
    picked: Sequence[str],
    known: Known,
    chosen: Sequence[int],
) -> dict[str, Any]:
    """Numbers of images, and what there is to annotate in them (`cost.Work`).

    `estimated_work` is that of the chosen images. `work`, in total, is that of the true masks of a
    simulation. Where minutes decide, `spent_minutes` are the estimated ones so far.
    """
    earlier = candidates.summary(place.inputs[before]) if before else {}
    estimated = functools.reduce(Work.plus, (known.work[index] for index in chosen), NONE)
    values: dict[str, Any] = {
        "round": round_.number,
        "labeled_before": len(labeled),
        "chosen": len(picked),
        "labeled": len(labeled) + len(picked),
        "estimated_work": estimated,
    }
    if not round_.count:
        own_minutes = float(known.minutes[chosen].sum())
        values["spent_minutes"] = earlier.get("spent_minutes", 0.0) + own_minutes
    if round_.simulated:
        own = knowledge.true_work(place.dataset, picked)
        values["work"] = Work(*earlier.get("work", NONE)).plus(own)
        present = protocols.classes_of(place.dataset, picked)
        names = place.dataset.class_names
        values["chosen_images_with"] = {
            names[c]: sum(c in found for found in present.values()) for c in range(1, len(names))
        }
    return values
