"""The images of a pass, as its network sees them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from tqdm import tqdm

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import prepare, resample, source, tiling
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.data.tiling import Tiled
from uaps_jax.labels import IGNORE


def fit_problems(data: DataConfig) -> Iterator[str]:
    """Settings with which an image has no predicted mask of its own size, one line each."""
    if data.fit == "crop":
        yield (
            "base.data.fit = 'crop': this recipe predicts images in one piece; choose 'resize' or "
            "'pad'"
        )
    if data.scale != 1:
        yield (
            f"base.data.scale = {data.scale}: this recipe predicts images that are not scaled; set "
            "it to 1"
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


def inputs(
    dataset: Dataset, names: Sequence[str], data: DataConfig, size: int, what: str
) -> Iterator[Tiled]:
    """The images with their network inputs: tiles of a whole one with `fit` "crop", else one.

    Args:
      dataset: of the images.
      names: of the images.
      data: how the network sees them.
      size: inputs at once, at most.
      what: a text for the progress bar.
    """
    if data.fit != "crop":
        for pool in pools(dataset, names, data, size, what):
            for name, image in zip(pool.names, pool.images, strict=True):
                read = functools.partial(source.pixels, dataset, name)
                yield Tiled(name, source.size(dataset, name), ((0, 0),), iter([image]), read)
        return
    with tqdm(total=len(names), desc=what, unit="image") as bar:
        for name in names:
            yield tiling.tiled(name, functools.partial(source.pixels, dataset, name), data, size)
            bar.update()


def settings_of_inputs(data: DataConfig) -> DataConfig:
    """The settings with which the outputs of `inputs` are put together (`tiling.assembled`).

    With one input an image, `Assembled.blended` is of it, and `Assembled.outputs` has no meaning.
    """
    if data.fit == "crop":
        return data
    return dataclasses.replace(data, fit="resize", transpose=False)


def own_size(label: np.ndarray, size: tuple[int, int], data: DataConfig) -> np.ndarray:
    """The mask of an image of `size`, from that of its one input or of its blended tiles."""
    if data.fit == "crop":
        return resample.nearest(label, *size)
    return prepare.restored(label, size, data)


def without_padding(array: np.ndarray, size: tuple[int, int], data: DataConfig) -> np.ndarray:
    """The part of a network input `[h, w, ...]` that shows an image of `size`, with `fit` "pad"."""
    if data.fit != "pad":
        return array
    known = prepare.mask(np.zeros(size, np.uint8), data) != IGNORE
    return array[np.ix_(known.any(1), known.any(0))]


def vectors(
    dataset: Dataset,
    names: Sequence[str],
    data: DataConfig,
    size: int,
    what: str,
    of_inputs: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """A vector of each image, the mean of those of its network inputs, `[N, D]`.

    Args:
      dataset: of the images.
      names: of the images.
      data: how the network sees them.
      size: inputs at once, at most.
      what: a text for the progress bar.
      of_inputs: `[b, h, w, channels]` to `[b, D]`.
    """
    counts: deque[int] = deque()
    waiting: deque[np.ndarray] = deque()
    found: list[np.ndarray] = []

    def every_input() -> Iterator[np.ndarray]:
        for image in inputs(dataset, names, data, size, what):
            counts.append(len(image.corners))
            yield from image.tiles

    left = every_input()
    while batch := list(itertools.islice(left, size)):
        waiting.extend(of_inputs(np.stack(batch)))
        while counts and len(waiting) >= counts[0]:
            found.append(np.mean([waiting.popleft() for _ in range(counts.popleft())], 0))
    return np.stack(found)
