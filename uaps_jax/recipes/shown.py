"""The chosen images for a person: a contact sheet, and predicted masks to begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax import files, palette
from uaps_jax.config import Config, DataConfig
from uaps_jax.data import source
from uaps_jax.data.paths import raw_folder
from uaps_jax.datasets.folder import class_map, encode
from uaps_jax.datasets.folder.class_map import ClassMap
from uaps_jax.recipes import knowledge
from uaps_jax.recipes.candidates import Row
from uaps_jax.recipes.stage import Place
from uaps_jax.reports import ranking_sheet

PROPOSALS, SHEET = "proposals", "chosen.png"
SHOWN = 16
"""Chosen images at most that are drawn."""


def propose(
    place: Place, config: Config, names: Sequence[str], chosen: Sequence[int], labels: np.ndarray
) -> None:
    """Writes the predicted masks of the chosen images, with the values of the user's own masks.

    Values that are class ids have a palette, in which a viewer shows them.
    """
    classes = _classes(config.data)
    values = encode.first_values(classes)
    are_ids = all(value == label for label, value in values.items())
    for index in chosen:
        mask = knowledge.own_size(place.dataset, names[index], labels[index], config)
        file = place.folder / PROPOSALS / f"{names[index]}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(file, palette.png(mask) if are_ids else encode.encoded(mask, classes))


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
    labels: np.ndarray | None,
) -> None:
    """Draws the first of the chosen images."""
    shown = list(chosen[:SHOWN])
    images = source.read(place.dataset, [names[index] for index in shown], config.data)
    none = np.zeros(images.masks.shape, np.uint8)
    titles = []
    for index in shown:
        row = rows[index]
        score = "" if row.score is None else f" {row.score:.3f}"
        titles.append(f"{row.order}.{score}\n{row.name}")
    ranking_sheet.draw(
        images, none if labels is None else labels[shown], titles, place.folder / SHEET
    )
