"""Prediction of many images: pictures of each, and what was found in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from uaps_jax import files as writing
from uaps_jax.data import tiling
from uaps_jax.datasets.common import Problem
from uaps_jax.inference import files, results
from uaps_jax.inference.images import ImageError
from uaps_jax.inference.inputs import Source
from uaps_jax.inference.results import Result
from uaps_jax.inference.trained import TrainedModel


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

    def tiled() -> Iterator[tiling.Tiled]:
        for source in sources:

            def pixels(source: Source = source) -> np.ndarray:
                photograph = source.read()
                notes[source.name] = photograph.notes
                return photograph.pixels

            try:
                yield tiling.tiled(source.name, pixels, data, size)
            except ImageError as error:
                problems.append(Problem(source.file, error.reason))

    known, done = len(problems), 0
    # Probabilities are blended where tiles overlap, and refined by a CRF.
    is_soft = data.fit != "resize" or model.refine is not None
    with progress_bar("predicting", len(sources)) as bar:
        for output in model.outputs(tiled(), soft=is_soft, batch_size=size):
            image = output.image
            try:
                mask = results.mask_of(model.refined(output).values)
                result = results.found(
                    mask,
                    output.score,
                    data,
                    model.score_rule,
                    model.decision,
                    name=image.name,
                    file=file[image.name],
                    notes=notes.pop(image.name),
                )
                files.write(
                    target,
                    image.name,
                    image.pixels(),
                    mask,
                    output.uncertainty,
                    model.uncertainty_kind.white,
                    result.defects,
                )
            except ImageError as error:
                problems.append(Problem(file[image.name], error.reason))
            except OSError as error:
                if writing.is_disk_full(error):
                    raise
                reason = f"its pictures cannot be written: {error.strerror or error}"
                problems.append(Problem(file[image.name], reason))
            else:
                done += 1
                yield result
            bar.update(done + len(problems) - known - bar.n)


def progress_bar(doing: str, count: int) -> tqdm:
    """The number of images that are done, and the time left."""
    interval = 0.5 if sys.stderr.isatty() else 15.0  # seconds
    return tqdm(total=count, desc=doing, unit="image", mininterval=interval, dynamic_ncols=True)
