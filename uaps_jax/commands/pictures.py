"""Pictures of some images as a model segments them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import logging

from uaps_jax.data import order, tiling, whole_images
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.inference import TrainedModel, inputs
from uaps_jax.inference.pools import Predictions
from uaps_jax.inference.tiles import Output
from uaps_jax.reports import figures, thumbnails

SHEET_ROWS = 8


def draw_contact_sheet(model: TrainedModel, dataset: Dataset, names: Sequence[str]) -> None:
    """Draws the contact sheet of a run, of some of the images of these names."""
    rows = order.evenly_spaced(len(names), SHEET_ROWS)
    chosen = [names[row] for row in rows]
    sheet = model.directory / "contact_sheet.png"
    _draw(model, dataset, whole_images.to_evaluate(dataset, chosen, model.config.data), sheet)
    logging.info("contact sheet: %s", sheet)


def draw_some(
    model: TrainedModel,
    dataset: Dataset,
    pool: Pool | WholeImages,
    count: int,
    given: Path | None,
) -> None:
    """Draws images of a pool, spread evenly, as the model segments them.

    Args:
      model: the model.
      dataset: of the pool.
      pool: the images.
      count: how many of them.
      given: the input that they are from, which is in the name of the file; None for the test part.
    """
    rows = order.evenly_spaced(len(pool.names), count)
    names = tuple(pool.names[row] for row in rows)
    few: Pool | WholeImages
    if isinstance(pool, Pool):
        few = Pool(names=names, images=pool.images[rows], masks=pool.masks[rows])
    else:
        few = whole_images.to_evaluate(dataset, names, model.config.data)
    of_input = "" if given is None else f"_{inputs.label(given)}"
    target = model.directory / "demo" / f"step_{model.step}{of_input}.png"
    target.parent.mkdir(exist_ok=True)
    _draw(model, dataset, few, target)
    logging.info("demo images: %s", target)


def _draw(model: TrainedModel, dataset: Dataset, pool: Pool | WholeImages, target: Path) -> None:
    """Draws all images of a pool; whole images are made small."""
    if isinstance(pool, WholeImages):
        shown, predictions = _small(model, pool)
    else:
        shown, predictions = pool, model.predict_pool(pool)
    figures.contact_sheet(shown, predictions, dataset.class_names, target)


def _small(model: TrainedModel, images: WholeImages) -> tuple[Pool, Predictions]:
    small = [_thumbnail(images, output) for output in _outputs(model, images)]
    return thumbnails.sheet(small, model.uncertainty_kind)


def _outputs(model: TrainedModel, images: WholeImages) -> Iterator[Output]:
    """Probabilities and uncertainty of the images, at their own size."""
    size = model.config.evaluation.batch_size
    tiled = (
        tiling.tiled(name, functools.partial(_pixels, images, name), images.data, size)
        for name in images.names
    )
    yield from map(model.refined, model.outputs(tiled, soft=True, batch_size=size))


def _pixels(images: WholeImages, name: str) -> np.ndarray:
    return images.load(name)[0]


def _thumbnail(images: WholeImages, output: Output) -> thumbnails.Thumbnail:
    pixels, truth = images.load(output.image.name)
    mask = tiling.likeliest(output.values)
    return thumbnails.thumbnail(
        output.image.name, pixels, truth, mask, output.uncertainty, output.score
    )
