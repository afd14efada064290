"""Pictures of some images as a model segments them."""

from __future__ import annotations

from collections.abc import Sequence

from absl import logging

from uaps_jax.data import order, source
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.inference import TrainedModel
from uaps_jax.reports import figures

SHEET_ROWS = 8


def draw_contact_sheet(model: TrainedModel, dataset: Dataset, names: Sequence[str]) -> None:
    """Draws the contact sheet of a run, of some of the images of these names."""
    rows = order.evenly_spaced(len(names), SHEET_ROWS)
    pool = source.read(dataset, [names[row] for row in rows], model.config.data)
    sheet = model.directory / "contact_sheet.png"
    figures.contact_sheet(pool, model.predict_pool(pool), dataset.class_names, sheet)
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
    figures.contact_sheet(few, model.predict_pool(few), dataset.class_names, target)
    logging.info("demo images: %s", target)
