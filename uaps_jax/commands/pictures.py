"""Predictions of the test split as files, and pictures of some of them."""

from __future__ import annotations

from pathlib import Path

from absl import logging

from uaps_jax.data import order
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.inference import TrainedModel, files
from uaps_jax.inference.pools import Predictions
from uaps_jax.reports import figures

SHEET_ROWS = 8


def predictions_folder(model: TrainedModel) -> Path:
    """Where the predictions of a model are."""
    return model.directory / "predictions" / f"step_{model.step}"


def write_test(model: TrainedModel, pool: Pool) -> Predictions:
    """Writes the predictions of the test split, and returns them."""
    target = predictions_folder(model) / "test"
    predictions = model.predict_pool(pool)
    for row, name in enumerate(pool.names):
        files.write(
            target, name, pool.images[row], predictions.masks[row], predictions.uncertainty[row]
        )
    logging.info("predictions: %s", target)
    return predictions


def draw_contact_sheet(
    model: TrainedModel, dataset: Dataset, pool: Pool, predictions: Predictions
) -> None:
    """Draws the contact sheet of a run."""
    sheet = model.directory / "contact_sheet.png"
    figures.contact_sheet(pool, predictions, dataset.class_names, sheet, rows=SHEET_ROWS)
    logging.info("contact sheet: %s", sheet)


def draw_some(model: TrainedModel, dataset: Dataset, pool: Pool, count: int) -> None:
    """Draws images of a pool, spread evenly, as the model segments them: `demo/step_N.png`."""
    rows = order.evenly_spaced(len(pool.names), count)
    few = Pool(
        names=tuple(pool.names[row] for row in rows),
        images=pool.images[rows],
        masks=pool.masks[rows],
    )
    target = model.directory / "demo" / f"step_{model.step}.png"
    target.parent.mkdir(exist_ok=True)
    figures.contact_sheet(few, model.predict_pool(few), dataset.class_names, target, rows=len(rows))
    logging.info("demo images: %s", target)
