"""Prediction of many images: pictures of each, and what was found in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from uaps_jax import files as writing
from uaps_jax.datasets.common import Problem
from uaps_jax.inference import defects, files, tiles
from uaps_jax.inference.defects import Defect
from uaps_jax.inference.images import ImageError
from uaps_jax.inference.inputs import Source
from uaps_jax.inference.trained import TrainedModel


class Result(NamedTuple):
    """What was found in an image.

    Attributes:
      name: of the image; its pictures are written under it.
      file: as the person knows it.
      size: height and width in pixels.
      defects: the largest first.
      notes: about the file, sentences.
    """

    name: str
    file: str
    size: tuple[int, int]
    defects: list[Defect]
    notes: tuple[str, ...]


def predict_images(
    model: TrainedModel, sources: Sequence[Source], target: Path, problems: list[Problem]
) -> Iterator[Result]:
    """Predicts images of any size, writes the pictures of `files.write`, and shows the progress.

    An image that cannot be read, or whose pictures cannot be written, is a problem; the others are
    predicted all the same.

    Args:
      model: the model.
      sources: the images.
      target: folder of the pictures.
      problems: gets those files.

    Raises:
      OSError: the disk is full.
    """
    data, size = model.config.data, model.config.evaluation.batch_size
    file = {source.name: source.file for source in sources}
    notes: dict[str, tuple[str, ...]] = {}

    def tiled() -> Iterator[tiles.Tiled]:
        for source in sources:

            def pixels(source: Source = source) -> np.ndarray:
                photograph = source.read()
                notes[source.name] = photograph.notes
                return photograph.pixels

            try:
                yield tiles.tiled(source.name, pixels, data, size)
            except ImageError as error:
                problems.append(Problem(source.file, error.reason))

    known, done = len(problems), 0
    is_soft = data.fit == "pad"  # probabilities are blended where tiles overlap
    with _bar(len(sources)) as bar:
        for image, values, uncertainty in model.outputs(tiled(), soft=is_soft, batch_size=size):
            mask = tiles.likeliest(values) if is_soft else values
            found = defects.find(mask, 0)
            try:
                files.write(target, image.name, image.pixels(), mask, uncertainty, found)
            except ImageError as error:
                problems.append(Problem(file[image.name], error.reason))
            except OSError as error:
                if writing.is_disk_full(error):
                    raise
                reason = f"its pictures cannot be written: {error.strerror or error}"
                problems.append(Problem(file[image.name], reason))
            else:
                done += 1
                yield Result(image.name, file[image.name], image.size, found, notes.pop(image.name))
            bar.update(done + len(problems) - known - bar.n)


def _bar(count: int) -> tqdm:
    """The number of images that are done, and the time left."""
    interval = 0.5 if sys.stderr.isatty() else 15.0  # seconds
    return tqdm(
        total=count, desc="predicting", unit="image", mininterval=interval, dynamic_ncols=True
    )
