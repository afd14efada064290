"""The pictures of the images of a queue."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from uaps_jax import files as writing
from uaps_jax.acquisition import cost
from uaps_jax.annotation_queue.entry import IMAGES, Entry
from uaps_jax.annotation_queue.scoring import Choice
from uaps_jax.data import tiling
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.pieces import count_values
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.inference import TrainedModel, ensemble, files, images, tiles
from uaps_jax.inference.ensemble import Run
from uaps_jax.inference.images import ImageError
from uaps_jax.inference.predict_images import progress_bar
from uaps_jax.methods.uncertainties import ENTROPY


def write_images(
    model: TrainedModel,
    run: Run,
    choices: Sequence[Choice],
    paths: Mapping[str, Path],
    folder: Path,
    problems: list[Problem],
) -> Iterator[Entry]:
    """Copies the chosen images, and writes the pictures of `inference.files.write` of each.

    The mask is that of the predictor, refined by the CRF if there is one; the uncertainty is the
    entropy that the score is of. Shows the progress.

    Args:
      model: the model.
      run: of `ensemble.make`.
      choices: the images.
      paths: name of an image -> its file.
      folder: of the queue.
      problems: gets those that cannot be read any more, or not written.

    Raises:
      OSError: the disk is full.
    """
    data, size = model.config.data, model.config.evaluation.batch_size
    by_name = {choice.source.name: choice for choice in choices}
    notes: dict[str, tuple[str, ...]] = {}
    digests: dict[str, str] = {}
    rank = 0

    def pixels(name: str) -> np.ndarray:
        photograph = images.read_photograph(_copy(folder, name, paths), data.folder.white)
        notes[name] = photograph.notes
        return photograph.pixels

    def failed(name: str, error: OSError | ImageError) -> None:
        if writing.is_disk_full(error):
            raise error
        reason = error.reason if isinstance(error, ImageError) else f"cannot be copied: {error}"
        problems.append(Problem(by_name[name].source.file, reason))

    def tiled() -> Iterator[tiling.Tiled]:
        for name in by_name:
            try:
                digests[name] = _copied(paths[name], _copy(folder, name, paths))
                yield tiling.tiled(name, functools.partial(pixels, name), data, size)
            except (ImageError, OSError) as error:
                failed(name, error)

    with progress_bar("writing", len(choices)) as bar:
        for output in ensemble.outputs([model], run, tiled(), data, ensemble.entropy):
            name = output.image.name
            probabilities, entropy = output.whole.outputs()
            try:
                predicted = tiles.Output(output.image, probabilities, entropy, 0.0)
                mask = tiling.likeliest(model.refined(predicted).values)
                files.write(folder, name, output.image.pixels(), mask, entropy, ENTROPY.white, ())
            except (ImageError, OSError) as error:
                failed(name, error)
                continue
            finally:
                bar.update()
            rank += 1
            copy = _copy(folder, name, paths)
            counts = count_values(mask, len(model.class_names))
            height, width = output.image.size
            choice = by_name[name]
            yield Entry(
                rank=rank,
                name=name,
                image=copy.relative_to(folder / IMAGES).as_posix(),
                path=str(paths[name].absolute()),
                sha256=digests[name],
                width=width,
                height=height,
                score=choice.terms.score,
                ambiguity=choice.terms.ambiguity,
                disagreement=choice.terms.disagreement,
                distance=choice.distance,
                minutes=cost.DEFAULT.minutes(mask),
                shares={
                    of: float(n) / mask.size
                    for of, n in zip(model.class_names, counts, strict=True)
                },
                notes=notes[name],
            )


def _copy(folder: Path, name: str, paths: Mapping[str, Path]) -> Path:
    return folder / IMAGES / f"{name}{paths[name].suffix}"


def _copied(file: Path, copy: Path) -> str:
    """Copies a file, and returns the SHA-256 of its bytes."""
    content = read_regular(file)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
