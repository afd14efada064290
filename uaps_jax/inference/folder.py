"""Prediction of every image of a folder."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from uaps_jax.config import ConfigError
from uaps_jax.data import tiling
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.folder.scan import IMAGE_SUFFIXES, nested, walk
from uaps_jax.inference import files, images
from uaps_jax.inference.trained import TrainedModel


def predict_folder(model: TrainedModel, folder: Path, target: Path) -> int:
    """Predicts every image of a folder, of whatever size, and writes the results in that size.

    Results keep the folder's structure.

    Returns:
      The number of images.

    Raises:
      ConfigError: the folder is missing or has no image.
      DataError: images cannot be read, or two of them would be written to the same file; the
        report names them all, and nothing is written.
    """
    if not folder.is_dir():
        raise ConfigError(f"--input={folder}: is not a folder")
    problems: list[Problem] = []
    found = sorted(walk(folder, problems, leave_out=target))
    if not found and not problems:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ConfigError(f"--input={folder}: has no image ({known})")
    data, size = model.config.data, model.config.evaluation.batch_size
    names = _checked(found, folder, data.folder.white, problems)
    tiled = (
        tiling.tiled(name, functools.partial(images.read, file, data.folder.white), data, size)
        for name, file in zip(names, tqdm(found, desc="predicting", unit="image"), strict=True)
    )
    is_soft = data.fit != "resize"  # probabilities are blended where tiles overlap
    for image, values, uncertainty, _ in model.outputs(tiled, soft=is_soft, batch_size=size):
        mask = tiling.likeliest(values) if is_soft else values
        files.write(target, image.name, image.pixels(), mask, uncertainty)
    return len(found)


def _checked(
    found: Sequence[Path], folder: Path, white: int, problems: list[Problem]
) -> tuple[str, ...]:
    """The names of images, all of which have been decoded once and differ in name.

    Raises:
      DataError: some cannot be, or do not; the report names them all.
    """
    names: dict[str, Path] = {}
    for file in tqdm(found, desc="checking", unit="image", leave=False):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in names:
            problems.append(Problem(str(file), f"would overwrite the result of {names[name]}"))
        names[name] = file
        try:
            images.read(file, white)
        except images.ImageError as error:
            problems.append(Problem(str(file), error.reason))
    for name, above in nested(list(names)):
        reason = f"its result would lie in {above}.png, the result of {names[above]}"
        problems.append(Problem(str(names[name]), reason))
    if problems:
        raise DataError(problems, "Repair or remove the files named above, then predict again.")
    return tuple(names)
