"""The images of a pass, in batches that are the same each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import source
from uaps_jax.data.source import Dataset, Pool


def fit_problems(data: DataConfig) -> Iterator[str]:
    """Settings with which an image has no predicted mask of its own size, one line each."""
    if data.fit == "crop":
        yield (
            "base.data.fit = 'crop': a recipe predicts images as a whole; choose 'resize' or 'pad'"
        )
    if data.scale != 1:
        yield (
            f"base.data.scale = {data.scale}: a recipe predicts images that are not scaled; set it "
            "to 1"
        )


def check_fit(data: DataConfig) -> None:
    """Checks that images are fitted to the network so that they can have predicted masks.

    Raises:
      ConfigError: with the problems.
    """
    if problems := list(fit_problems(data)):
        raise ConfigError("\n".join(problems))


def pools(
    dataset: Dataset, names: Sequence[str], data: DataConfig, size: int, what: str
) -> Iterator[Pool]:
    """The images in pools of `size`, the last one smaller, behind a progress bar with a text."""
    with tqdm(total=len(names), desc=what, unit="image") as bar:
        for start in range(0, len(names), size):
            pool = source.read(dataset, names[start : start + size], data)
            yield pool
            bar.update(len(pool.names))


def padded(images: np.ndarray, size: int) -> np.ndarray:
    """A batch of `size` images, filled up with the first one, so that one program serves all."""
    missing = size - len(images)
    return np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images
