"""Predictions of the test split as files, and pictures of some of them."""

from __future__ import annotations

from pathlib import Path

from absl import logging

from uaps_jax.commands.trained import Checkpoint, TrainedRun
from uaps_jax.data import order
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.inference import predict as prediction
from uaps_jax.reports import figures

SHEET_ROWS = 8


def predictions_folder(run: TrainedRun, checkpoint: Checkpoint) -> Path:
    """Where the predictions of a checkpoint are."""
    return run.directory / "predictions" / f"step_{checkpoint.step}"


def write_test(run: TrainedRun, checkpoint: Checkpoint, pool: Pool) -> prediction.Predictions:
    """Writes the predictions of the test split, and returns them."""
    target = predictions_folder(run, checkpoint) / "test"
    predict = prediction.make_predictor(run.config, run.method)
    predictions = predict(checkpoint.variables, pool, 0)
    for row, name in enumerate(pool.names):
        prediction.write_one(
            target, name, pool.images[row], predictions.masks[row], predictions.uncertainty[row]
        )
    logging.info("predictions: %s", target)
    return predictions


def draw_contact_sheet(
    run: TrainedRun, dataset: Dataset, pool: Pool, predictions: prediction.Predictions
) -> None:
    """Draws the contact sheet of a run."""
    sheet = run.directory / "contact_sheet.png"
    figures.contact_sheet(pool, predictions, dataset.class_names, sheet, rows=SHEET_ROWS)
    logging.info("contact sheet: %s", sheet)


def draw_some(
    run: TrainedRun, checkpoint: Checkpoint, dataset: Dataset, pool: Pool, count: int
) -> None:
    """Draws images of a pool, spread evenly, as the checkpoint segments them: `demo/step_N.png`."""
    rows = order.evenly(len(pool.names), count)
    few = Pool(
        names=tuple(pool.names[row] for row in rows),
        images=pool.images[rows],
        masks=pool.masks[rows],
    )
    predictions = prediction.make_predictor(run.config, run.method)(checkpoint.variables, few, 0)
    target = run.directory / "demo" / f"step_{checkpoint.step}.png"
    target.parent.mkdir(exist_ok=True)
    figures.contact_sheet(few, predictions, dataset.class_names, target, rows=len(rows))
    logging.info("demo images: %s", target)
