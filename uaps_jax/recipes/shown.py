"""The chosen images for a person: a contact sheet, and predicted masks to begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from uaps_jax import files, palette
from uaps_jax.config import Config, DataConfig
from uaps_jax.data import source
from uaps_jax.data.paths import raw_folder
from uaps_jax.datasets.common import read_mask
from uaps_jax.datasets.folder import class_map, encode
from uaps_jax.datasets.folder.class_map import ClassMap
from uaps_jax.labels import IGNORE
from uaps_jax.recipes.candidates import Row
from uaps_jax.recipes.stage import Place
from uaps_jax.reports import ranking_sheet

PROPOSALS, SHEET = "proposals", "chosen.png"
SHOWN = 16
"""Chosen images at most that are drawn."""

SIDE = 256
"""Longer side of a drawn image, in pixels, at most."""


def propose(
    place: Place,
    config: Config,
    names: Sequence[str],
    chosen: Sequence[int],
    masks: Sequence[bytes],
) -> None:
    """Writes the predicted masks of the chosen images, with the values of the user's own masks.

    Values that are class ids have a palette, in which a viewer shows them. What the network does
    not see of an image is background.

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
        predicted = read_mask(masks[index])
        mask = np.where(predicted == IGNORE, np.uint8(0), predicted)
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
    names: Sequence[str],
    chosen: Sequence[int],
    rows: Sequence[Row],
    masks: Sequence[bytes] | None,
) -> None:
    """Draws the first of the chosen images, with `masks` as `observe.Observed` has them."""
    shown = list(chosen[:SHOWN])
    pictures, labels, truths, titles = [], [], [], []
    for index in shown:
        row = rows[index]
        score = "" if row.score is None else f" {row.score:.3f}"
        titles.append(f"{row.order}.{score}\n{row.name}")
        pixels, truth = source.decoded(place.dataset, names[index])
        label = np.zeros_like(truth) if masks is None else read_mask(masks[index])
        small = Image.fromarray(pixels)
        small.thumbnail((SIDE, SIDE))
        pictures.append(np.asarray(small))
        labels.append(palette.shrunk(label, (small.height, small.width)))
        truths.append(palette.shrunk(truth, (small.height, small.width)))
    ranking_sheet.draw(pictures, labels, truths, titles, place.folder / SHEET)
