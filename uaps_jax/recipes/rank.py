"""The pass that ranks unlabeled images by the reliability of their pseudo-labels."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from uaps_jax import compiler, files, inference
from uaps_jax.config import ConfigError
from uaps_jax.data import source
from uaps_jax.datasets.pieces import count_values
from uaps_jax.evaluation.reliability import Terms
from uaps_jax.inference import TrainedModel
from uaps_jax.recipes import images, quality, ranking
from uaps_jax.recipes.ranking import EASY, HARD, Row
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.reports import ranking_sheet

SUMMARY = "summary.json"
SHEET = "best_and_worst.png"
SHOWN = 8
"""Images of each end of the ranking that are drawn."""


def rank(
    *, name: str, model: str, steps: Sequence[int], terms: Terms, share: float, balanced: bool
) -> Pass:
    """The ranking of all unlabeled images by checkpoints of a training.

    Writes `ranking.csv`; `summary.json` with the number of images of each kind in each part, and
    the scores of the last checkpoint's pseudo-labels of each part against the masks there are; and
    `best_and_worst.png`.

    Args:
      name: of the stage.
      model: the stage of the training.
      steps: of the checkpoints, ascending.
      terms: of the score.
      share: of the images that are easy.
      balanced: whether of every kind (`ranking.ranked`).
    """

    def write(place: Place) -> None:
        last = inference.load(place.inputs[model], steps[-1])
        images.check_fit(last.config.data)
        models = [*(last.at(step) for step in steps[:-1]), last]
        found = _scored(place, models, terms)
        rows = ranking.ranked(
            found.names,
            found.terms,
            ranking.kinds(found.counts, place.dataset.class_names),
            share=share,
            balanced=balanced,
        )
        files.write_text(place.folder / ranking.FILE, ranking.to_csv(rows))
        summary = _summary(place, last, rows, found)
        files.write_text(place.folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
        _draw(place, last, rows, found)

    return Pass(
        name=name,
        folder=name,
        inputs=(model,),
        options={
            "pass": "rank",
            "model": model,
            "steps": list(steps),
            "terms": terms.__name__,
            "share": share,
            "balanced": balanced,
        },
        write=write,
    )


class Scored(NamedTuple):
    """What was found for the N images.

    Attributes:
      names: sorted.
      terms: name -> `[N]`.
      labels: pseudo-labels of the last checkpoint, uint8 `[N, H, W]`.
      counts: their pixels of each class, `[N, C]`.
    """

    names: Sequence[str]
    terms: dict[str, np.ndarray]
    labels: np.ndarray
    counts: np.ndarray


def _scored(place: Place, models: Sequence[TrainedModel], terms: Terms) -> Scored:
    config, classes = models[0].config, len(place.dataset.class_names)
    size = config.evaluation.batch_size
    predictor = models[0].method.predictor(models[0].predictor)
    jit = functools.partial(compiler.jit_optimized, deterministic=config.train.deterministic)
    predict = jit(lambda variables, batch: predictor(variables, batch))

    @jit
    def score(probabilities: Sequence[jax.Array]) -> tuple[Mapping[str, jax.Array], jax.Array]:
        stacked = jnp.stack(probabilities)
        return terms(stacked), stacked[-1].argmax(-1).astype(np.uint8)

    names = sorted(place.split["unlabeled"])
    if not names:
        raise ConfigError("the split has no unlabeled images to rank")
    values: list[dict[str, np.ndarray]] = []
    labels: list[np.ndarray] = []
    for pool in images.pools(place.dataset, names, config.data, size, "ranking"):
        batch = source.padded(pool.images, size)
        found = score([predict(model.variables, batch) for model in models])
        count = len(pool.names)
        values.append({name: np.asarray(term)[:count] for name, term in found[0].items()})
        labels.append(np.asarray(found[1])[:count])
    every = np.concatenate(labels)
    return Scored(
        names=names,
        terms={name: np.concatenate([v[name] for v in values]) for name in values[0]},
        labels=every,
        counts=np.stack([count_values(label, classes) for label in every]),
    )


def _summary(
    place: Place, model: TrainedModel, rows: Sequence[Row], found: Scored
) -> dict[str, Any]:
    """Kinds and quality of both parts."""
    kinds = ranking.kinds_of_parts(rows)
    at = {name: index for index, name in enumerate(found.names)}
    scores = {}
    for part in (EASY, HARD):
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds[part].items())
        logging.info("%s images by the class of most defect pixels: %s", part, listed)
        labels = ((row.name, found.labels[at[row.name]]) for row in rows if row.part == part)
        scores[part] = quality.quality(labels, place.dataset, model.config.data)
        quality.log(f"pseudo-labels of the {part} images", scores[part])
    return {"kinds": kinds, "quality": scores}


def _draw(place: Place, model: TrainedModel, rows: Sequence[Row], found: Scored) -> None:
    """Draws the images of both ends of the ranking."""
    count = min(SHOWN, (len(rows) + 1) // 2)
    ends = [*rows[:count], *rows[count:][-count:]]
    pool = source.read(place.dataset, [row.name for row in ends], model.config.data)
    at = {name: index for index, name in enumerate(found.names)}
    ranking_sheet.draw(
        pool.images,
        [found.labels[at[row.name]] for row in ends],
        pool.masks,
        [f"{row.rank}. {row.score:.3f} {row.part}\n{row.name}" for row in ends],
        place.folder / SHEET,
    )
