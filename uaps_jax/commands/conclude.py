"""The end of a training: scores, decisions, the result, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uaps_jax.commands import pictures, predictions
from uaps_jax.commands.scoring import Scorer
from uaps_jax.config import Config
from uaps_jax.data import whole_images
from uaps_jax.data.source import Dataset
from uaps_jax.inference import trained
from uaps_jax.reports import figures
from uaps_jax.training import checkpoints, results, workdir


def conclude(
    directory: Path, config: Config, dataset: Dataset, record: Mapping[str, Any], parameters: int
) -> None:
    """Scores the last and the best checkpoint, sets their decisions, writes the result, draws.

    Args:
      directory: of the run.
      config: of the run.
      dataset: it was trained on.
      record: which of its images, by part (`data.protocols.record`).
      parameters: number of trainable ones.
    """
    split = {
        part: whole_images.to_evaluate(dataset, record[part], config.data)
        for part in ("val", "test")
    }
    scorer = Scorer()
    last = trained.restore(config, directory, "latest")
    best = last.at("best") if checkpoints.has_best(directory) else last

    def scores(predictor: str) -> dict[str, results.Scores]:
        latest = scorer.score(last, dataset, split, predictor)
        is_last = best.step == last.step
        of_best = latest if is_last else scorer.score(best, dataset, split, predictor)
        return {part: {"latest": latest[part], "best": of_best[part]} for part in split}

    names = dict.fromkeys((last.predictor, *last.predictors))
    by_predictor = {name: scores(name) for name in names}
    own = by_predictor.pop(last.predictor)
    predictions.write_test(best, dataset, None)
    results.write(
        directory,
        config,
        record,
        parameters,
        own["test"],
        {name: of_parts["test"] for name, of_parts in by_predictor.items()},
        own["val"],
        workdir.warnings(directory),
    )
    figures.curves(directory / workdir.METRICS, directory / "curves.png")
    pictures.draw_contact_sheet(best, dataset, record["test"])


def draw_stopped(
    directory: Path, config: Config, dataset: Dataset, record: Mapping[str, Any]
) -> None:
    """Draws the curves and the contact sheet of a run that was stopped; arguments as `conclude`."""
    figures.curves(directory / workdir.METRICS, directory / "curves.png")
    which = checkpoints.existing(directory, "best")
    model = trained.restore(config, directory, which)
    pictures.draw_contact_sheet(model, dataset, record["test"])
