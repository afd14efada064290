"""The images of a pass, in batches that are the same each time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from tqdm import tqdm

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import source, tiling
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.data.tiling import Tiled


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


def tiled(
    dataset: Dataset, names: Sequence[str], data: DataConfig, size: int, what: str
) -> Iterator[Tiled]:
    """The images with their network inputs, for batches of `size`, behind a progress bar."""
    with tqdm(total=len(names), desc=what, unit="image") as bar:
        for name in names:
            yield tiling.tiled(name, functools.partial(source.pixels, dataset, name), data, size)
            bar.update()


def described(
    dataset: Dataset,
    names: Sequence[str],
    data: DataConfig,
    size: int,
    what: str,
    of_inputs: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """A vector of each image: the mean of those of its network inputs, `[N, D]`.

    Args:
      dataset: of the images.
      names: of the images.
      data: how the network sees them.
      size: inputs at once, at most.
      what: a text for the progress bar.
      of_inputs: `[b, h, w, channels]` to `[b, D]`.
    """
    counts: list[int] = []

    def inputs() -> Iterator[np.ndarray]:
        for image in tiled(dataset, names, data, size, what):
            counts.append(len(image.corners))
            yield from image.tiles

    left, found = inputs(), []
    while batch := list(itertools.islice(left, size)):
        found.append(of_inputs(np.stack(batch)))
    return means(np.concatenate(found), counts)


def means(vectors: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """The mean of each image, `[N, D]`, of the vectors `[T, D]` of all its network inputs.

    Args:
      vectors: of the inputs, those of an image behind each other.
      counts: of the inputs of each image, at least 1.
    """
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    total: np.ndarray = np.add.reduceat(vectors, begins, axis=0)
    return total / np.asarray(counts, vectors.dtype)[:, None]


def padded(images: np.ndarray, size: int) -> np.ndarray:
    """A batch of `size` images, filled up with the first one, so that one program serves all."""
    missing = size - len(images)
    return np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images
