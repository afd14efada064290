"""The chosen images for a person: a contact sheet, and predicted masks to begin with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from uaps_jax import files
from uaps_jax.config import Config, DataConfig
from uaps_jax.data import prepare, source
from uaps_jax.data.paths import raw_folder
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import read_mask
from uaps_jax.datasets.folder import class_map, encode
from uaps_jax.datasets.folder.class_map import ClassMap
from uaps_jax.recipes.candidates import Row
from uaps_jax.recipes.stage import Place
from uaps_jax.reports import ranking_sheet

PROPOSALS, SHEET = "proposals", "chosen.png"
SHOWN = 16
"""Chosen images at most that are drawn."""

SIDE = 256
"""Longer side, in pixels, of an image that is drawn smaller than it is."""


def propose(
    place: Place,
    config: Config,
    names: Sequence[str],
    chosen: Sequence[int],
    masks: Sequence[bytes],
) -> None:
    """Writes the predicted masks of the chosen images, with the values of the user's own masks.

    Values that are class ids have a palette, in which a viewer shows them.

    Args:
      place: of the pass.
      config: of the training.
      names: of the images.
      chosen: which of them are.
      masks: predicted, as `observe.Observed` has them.
    """
    classes = _classes(config.data)
    values = encode.first_values(classes)
    are_ids = all(value == label for label, value in values.items())
    for index in chosen:
        mask = masks[index]
        file = place.folder / PROPOSALS / f"{names[index]}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(file, mask if are_ids else encode.encoded(read_mask(mask), classes))


def _classes(data: DataConfig) -> ClassMap:
    """The values of a user's masks; the dataset was built with them."""
    if data.folder.classes:
        return class_map.from_settings(data.folder.classes)
    return class_map.from_file(raw_folder(data) / class_map.CLASSES_FILE)


def draw(
    place: Place,
    config: Config,
    names: Sequence[str],
    chosen: Sequence[int],
    rows: Sequence[Row],
    masks: Sequence[bytes] | None,
) -> None:
    """Draws the first of the chosen images whole, with `masks` as `observe.Observed` has them."""
    shown = list(chosen[:SHOWN])
    whole = _whole(place.dataset, names[shown[0]], config.data)
    images = source.read(place.dataset, [names[index] for index in shown], whole)
    labels = np.zeros(images.masks.shape, np.uint8)
    if masks is not None:
        labels = np.stack([prepare.mask(read_mask(masks[index]), whole) for index in shown])
    titles = []
    for index in shown:
        row = rows[index]
        score = "" if row.score is None else f" {row.score:.3f}"
        titles.append(f"{row.order}.{score}\n{row.name}")
    ranking_sheet.draw(images, labels, titles, place.folder / SHEET)


def _whole(dataset: Dataset, name: str, data: DataConfig) -> DataConfig:
    """How images are drawn: as the network sees them, or, where it sees tiles, in the form of one.

    Its longer side has `SIDE` pixels then.
    """
    if data.fit == "resize":
        return data
    height, width = source.pixels(dataset, name).shape[:2]
    factor = SIDE / max(height, width)
    return dataclasses.replace(
        data,
        fit="resize",
        scale=1.0,
        height=max(1, round(factor * height)),
        width=max(1, round(factor * width)),
    )
