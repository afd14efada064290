"""Prediction of many images: pictures of each, and what was found in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from uaps_jax import files as writing
from uaps_jax.data import prepare, tiling
from uaps_jax.datasets.common import Problem
from uaps_jax.inference import defects, files
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
      score: how much of a defect it shows, by the model's rule.
      not_ok: the verdict of the model's decision; None where it has none.
      defects: of at least the minimum area of the rule; the largest first.
      notes: about the file, sentences.
    """

    name: str
    file: str
    size: tuple[int, int]
    score: float
    not_ok: bool | None
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

    known, done, decision = len(problems), 0, model.decision
    # Probabilities are blended where tiles overlap, and refined by a CRF.
    is_soft = data.fit != "resize" or model.refine is not None
    with progress_bar("predicting", len(sources)) as bar:
        for output in model.outputs(tiled(), soft=is_soft, batch_size=size):
            image, score = output.image, output.score
            try:
                values = model.refined(output).values
                mask = tiling.likeliest(values) if is_soft else values
                found = defects.find(mask, minimum_area(model, image.size))
                files.write(target, image.name, image.pixels(), mask, output.uncertainty, found)
            except ImageError as error:
                problems.append(Problem(file[image.name], error.reason))
            except OSError as error:
                if writing.is_disk_full(error):
                    raise
                reason = f"its pictures cannot be written: {error.strerror or error}"
                problems.append(Problem(file[image.name], reason))
            else:
                done += 1
                yield Result(
                    name=image.name,
                    file=file[image.name],
                    size=image.size,
                    score=score,
                    not_ok=None if decision is None else decision.is_not_ok(score),
                    defects=found,
                    notes=notes.pop(image.name),
                )
            bar.update(done + len(problems) - known - bar.n)


def minimum_area(model: TrainedModel, size: tuple[int, int]) -> int:
    """The area that a defect must have, in pixels of an image of this size; 1 for any area.

    The rule of the score has it in pixels that the network sees. Nearest neighbour makes at least
    floor(H / h) * floor(W / w) pixels of an image of `[H, W]` of each pixel that is seen at
    `[h, w]`, so that no region that is large enough for the score has a smaller area.
    """
    data, rule = model.config.data, model.score_rule
    if not rule.has_minimum:
        return 1
    resized = data.fit == "resize"
    height, width = (data.height, data.width) if resized else prepare.scaled_size(size, data)
    return max(rule.minimum_area * (size[0] // height) * (size[1] // width), 1)


def progress_bar(doing: str, count: int) -> tqdm:
    """The number of images that are done, and the time left."""
    interval = 0.5 if sys.stderr.isatty() else 15.0  # seconds
    return tqdm(total=count, desc=doing, unit="image", mininterval=interval, dynamic_ncols=True)
