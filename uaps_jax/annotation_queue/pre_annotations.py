"""The proposals of a queue as files of annotation tools."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image

from uaps_jax.annotation_queue.entry import Entry
from uaps_jax.annotations.formats import WRITERS, Proposal
from uaps_jax.datasets.common import DataError
from uaps_jax.inference import files

FOLDER = "pre_annotations"


def write(folder: Path, class_names: Sequence[str], entries: Sequence[Entry]) -> None:
    """Writes `pre_annotations/<format>/` of every format; masks are read one by one.

    A format that cannot hold a name of an image or a class is left out, with a warning.

    Args:
      folder: of the queue, with its masks.
      class_names: background first.
      entries: the images, in their order.
    """
    proposals = [
        Proposal(
            name=entry.image,
            size=(entry.height, entry.width),
            mask=functools.partial(_mask, files.path(folder, "mask", entry.name, "png")),
            score=entry.score,
        )
        for entry in entries
    ]
    for name, writer in WRITERS.items():
        try:
            writer(proposals, class_names, folder / FOLDER / name)
        except DataError as error:
            logging.warning("no proposals are written as %s: %s", name, error)


def _mask(file: Path) -> np.ndarray:
    with Image.open(file) as opened:
        return np.array(opened)
