"""The scores of all images of an input, and the choice among them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uaps_jax.acquisition import diversity, score, selection, terms
from uaps_jax.acquisition.terms import Terms
from uaps_jax.data import tiling
from uaps_jax.datasets.common import Problem, UnreadableError
from uaps_jax.datasets.folder.images import UPRIGHT, named_orientation
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.inference import TrainedModel, ensemble, images, inputs
from uaps_jax.inference.ensemble import Run
from uaps_jax.inference.images import ImageError, Photograph
from uaps_jax.inference.inputs import Source
from uaps_jax.inference.predict_images import progress_bar


class Scored(NamedTuple):
    """What is kept of the N images that could be read.

    Attributes:
      sources: the images.
      terms: of their scores.
      features: of unit length, `[N, D]`.
    """

    sources: list[Source]
    terms: list[Terms]
    features: np.ndarray


class Choice(NamedTuple):
    """A chosen image.

    Attributes:
      source: the image.
      terms: of its score.
      distance: of its features to the nearest annotated or earlier chosen image; None without one.
    """

    source: Source
    terms: Terms
    distance: float | None


def score_images(
    model: TrainedModel, run: Run, sources: Sequence[Source], problems: list[Problem]
) -> Scored:
    """Scores images by the uncertainty of `score.DEFAULT`, and shows the progress.

    Args:
      model: the model.
      run: of `ensemble.make`.
      sources: the images.
      problems: gets those that cannot be read.
    """
    data, size = model.config.data, model.config.evaluation.batch_size
    read: list[Source] = []
    found: list[Terms] = []
    features: list[np.ndarray] = []
    with progress_bar("scoring", len(sources)) as bar:

        def tiled() -> Iterator[tiling.Tiled]:
            for source in sources:
                try:
                    image = tiling.tiled(
                        source.name, functools.partial(_pixels, source), data, size
                    )
                except ImageError as error:
                    problems.append(Problem(source.file, error.reason))
                    bar.update()
                    continue
                read.append(source)
                yield image

        for output in ensemble.outputs(
            [model], run, tiled(), data, ensemble.entropy_and_disagreement
        ):
            _, entropy, *disagreement = output.whole.outputs()
            share = score.DEFAULT.share
            found.append(terms.of_top_share(entropy, next(iter(disagreement), None), share))
            features.append(output.features)
            bar.update()
    return Scored(read, found, np.stack(features) if features else np.empty((0, 0)))


def source(name: str, file: Path, root: Path, white: int) -> Source:
    """An image file, as `inputs.source`; `read` refuses one that programs may show turned.

    Its proposed mask would not fit what a person sees in another program.
    """
    plain = inputs.source(name, file, root, white)
    return plain._replace(read=functools.partial(_read_upright, file, white))


def _read_upright(file: Path, white: int) -> Photograph:
    try:
        data = read_regular(file)
        turned = named_orientation(data)
    except OSError as error:
        raise ImageError(str(file), f"cannot be read: {error.strerror or error}") from error
    except UnreadableError as error:
        raise ImageError(str(file), str(error)) from error
    if turned != UPRIGHT:
        raise ImageError(
            str(file),
            f"its EXIF data say that it is to be turned (orientation {turned}), and programs for "
            "annotation differ in whether they do: save it upright",
        )
    return images.decoded(data, str(file), white)


def _pixels(source: Source) -> np.ndarray:
    return source.read().pixels


def choose(scored: Scored, annotated: frozenset[str], count: int) -> list[Choice]:
    """The images to annotate next, in the order of the choice (`selection.hybrid`).

    Args:
      scored: all images.
      annotated: names of those that are annotated already.
      count: how many to choose; all others if there are fewer.
    """
    names = [source.name for source in scored.sources]
    chosen = [row for row, name in enumerate(names) if name in annotated]
    order = selection.hybrid(
        np.array([one.score for one in scored.terms]),
        scored.features,
        min(count, len(names) - len(chosen)),
        chosen,
    )
    apart = diversity.distances(scored.features, order, chosen)
    return [
        Choice(scored.sources[row], scored.terms[row], float(d) if np.isfinite(d) else None)
        for row, d in zip(order, apart, strict=True)
    ]
