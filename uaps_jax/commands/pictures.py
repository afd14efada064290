"""Predictions of the test split as files, and pictures of some of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import logging

from uaps_jax.data import order, tiling
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.inference import TrainedModel, files
from uaps_jax.inference.pools import Predictions
from uaps_jax.inference.tiles import Output
from uaps_jax.reports import figures, thumbnails

SHEET_ROWS = 8


def predictions_folder(model: TrainedModel) -> Path:
    """Where the predictions of a model are."""
    return model.directory / "predictions" / f"step_{model.step}"


def write_test(model: TrainedModel, pool: Pool | WholeImages) -> tuple[Pool, Predictions]:
    """Writes the predictions of the test split.

    Returns:
      The images of a contact sheet and their predictions: the whole pool, or, of whole images, a
      few, made small.
    """
    target = predictions_folder(model) / "test"
    if isinstance(pool, WholeImages):
        shown = _write_whole_images(model, pool, target)
    else:
        shown = pool, model.predict_pool(pool)
        for row, name in enumerate(pool.names):
            masks, uncertainty = shown[1].masks, shown[1].uncertainty
            files.write(target, name, pool.images[row], masks[row], uncertainty[row])
    logging.info("predictions: %s", target)
    return shown


def _write_whole_images(
    model: TrainedModel, pool: WholeImages, target: Path
) -> tuple[Pool, Predictions]:
    rows = order.evenly_spaced(len(pool.names), SHEET_ROWS)
    chosen = {pool.names[row] for row in rows}
    small = []
    for output in _outputs(model, pool, pool.names):
        image, name = output.image, output.image.name
        mask = tiling.likeliest(output.values)
        files.write(target, name, image.pixels(), mask, output.uncertainty)
        if name in chosen:
            small.append(_thumbnail(pool, output))
    return thumbnails.sheet(small, model.uncertainty_name)


def _outputs(model: TrainedModel, images: WholeImages, names: Sequence[str]) -> Iterator[Output]:
    """Probabilities and uncertainty of some of the images, at their own size."""
    size = model.config.evaluation.batch_size
    tiled = (
        tiling.tiled(name, functools.partial(_pixels, images, name), images.data, size)
        for name in names
    )
    yield from model.outputs(tiled, soft=True, batch_size=size)


def _pixels(images: WholeImages, name: str) -> np.ndarray:
    return images.load(name)[0]


def _thumbnail(images: WholeImages, output: Output) -> thumbnails.Thumbnail:
    pixels, truth = images.load(output.image.name)
    mask = tiling.likeliest(output.values)
    return thumbnails.thumbnail(
        output.image.name, pixels, truth, mask, output.uncertainty, output.score
    )


def draw_contact_sheet(
    model: TrainedModel, dataset: Dataset, pool: Pool, predictions: Predictions
) -> None:
    """Draws the contact sheet of a run."""
    sheet = model.directory / "contact_sheet.png"
    figures.contact_sheet(pool, predictions, dataset.class_names, sheet, rows=SHEET_ROWS)
    logging.info("contact sheet: %s", sheet)


def draw_some(model: TrainedModel, dataset: Dataset, pool: Pool | WholeImages, count: int) -> None:
    """Draws images of a pool, spread evenly, as the model segments them: `demo/step_N.png`."""
    rows = order.evenly_spaced(len(pool.names), count)
    names = tuple(pool.names[row] for row in rows)
    if isinstance(pool, WholeImages):
        small = [_thumbnail(pool, output) for output in _outputs(model, pool, names)]
        few, predictions = thumbnails.sheet(small, model.uncertainty_name)
    else:
        few = Pool(names=names, images=pool.images[rows], masks=pool.masks[rows])
        predictions = model.predict_pool(few)
    target = model.directory / "demo" / f"step_{model.step}.png"
    target.parent.mkdir(exist_ok=True)
    figures.contact_sheet(few, predictions, dataset.class_names, target, rows=len(rows))
    logging.info("demo images: %s", target)
