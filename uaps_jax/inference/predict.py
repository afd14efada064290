"""Masks, overlays and uncertainty maps of images."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from uaps_jax import compiler
from uaps_jax.config import Config, ConfigError, DataConfig
from uaps_jax.data import prepare
from uaps_jax.data.source import Pool
from uaps_jax.datasets.common import DataError, Problem, UnreadableError
from uaps_jax.datasets.folder.images import read_any_image
from uaps_jax.datasets.folder.scan import IMAGE_SUFFIXES, nested, walk
from uaps_jax.datasets.pieces import pieces
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.evaluation import evaluate
from uaps_jax.inference import palette
from uaps_jax.labels import IGNORE
from uaps_jax.methods.base import Method
from uaps_jax.trees import Tree

HELD_BYTES = 2**29
"""Of the images of one batch; what is larger is read again when its result is drawn over it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions of a trained model on a pool of images.

    Attributes:
      values: class ids, uint8 `[N, H, W]`, or, where they were asked for, probabilities
        `[N, H, W, C]`.
      uncertainty: mean KL of the decoders to their mean in nats, or, for a method without one, the
        entropy of the prediction; float32 `[N, H, W]`.
      uncertainty_name: which of the two, for titles.
    """

    values: np.ndarray
    uncertainty: np.ndarray
    uncertainty_name: str

    @property
    def masks(self) -> np.ndarray:
        """Class ids, uint8 `[N, H, W]`."""
        return self.values if self.values.ndim == 3 else self.values.argmax(-1).astype(np.uint8)


Predict = Callable[[Tree, Pool, int], Predictions]


def make_predictor(config: Config, method: Method, *, soft: bool = False) -> Predict:
    """`(variables, pool, first) -> Predictions` for images at the network's size; compiles once.

    With `soft`, its `values` are probabilities, else class ids.

    The perturbed decoders of an uncertainty draw from the run's seed and the number of the batch
    alone. `first` is the number of the pool's first batch: a pool that comes in pieces of whole
    batches is predicted as it would be in one.
    """
    predictor = method.predictor(config.evaluation.predictor)
    key = jax.random.key(config.train.seed)

    @compiler.jit_optimized
    def run(variables: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        if method.uncertainty is None:
            uncertainty = jax.scipy.special.entr(probabilities).sum(-1)
        else:
            uncertainty = method.uncertainty(variables, images, key)
        outputs = probabilities if soft else probabilities.argmax(-1).astype(np.uint8)
        return outputs, uncertainty

    def predict(variables: Tree, pool: Pool, first: int) -> Predictions:
        predictions, uncertainties = [], []
        for number, (images, _, count) in enumerate(
            evaluate.batches(pool, config.evaluation.batch_size), start=first
        ):
            outputs, uncertainty = run(variables, images, jax.random.fold_in(key, number))
            predictions.append(np.asarray(outputs)[:count])
            uncertainties.append(np.asarray(uncertainty)[:count])
        return Predictions(
            values=np.concatenate(predictions),
            uncertainty=np.concatenate(uncertainties),
            uncertainty_name="entropy" if method.uncertainty is None else "KL of the decoders",
        )

    return predict


def predict_folder(
    config: Config, method: Method, variables: Tree, folder: Path, target: Path
) -> int:
    """Predicts every image of a folder, of whatever size, and writes the results in that size.

    Images are fitted to the network's input as in training (`data.fit`): resized, and the results
    resized back by nearest neighbour; or, unscaled, covered by tiles, whose probabilities are
    blended where they overlap. Results keep the folder's structure.

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
    files = sorted(walk(folder, problems, leave_out=target))
    if not files and not problems:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ConfigError(f"--input={folder}: has no image ({known})")
    white = config.data.folder.white
    names = _checked(files, folder, white, problems)
    size = config.evaluation.batch_size
    predictor = make_predictor(config, method, soft=config.data.fit == "pad")
    numbers = itertools.count()

    def predict(pool: Pool) -> Predictions:
        return predictor(variables, pool, next(numbers))

    images = (
        _open(name, file, config.data, HELD_BYTES // size)
        for name, file in zip(names, tqdm(files, desc="predicting", unit="image"), strict=True)
    )
    for chunk in _chunks(images, size):
        outputs = _predicted([image.tiles for image in chunk], predict, size)
        while chunk:
            _finish(chunk.pop(0), outputs, config.data, target)
    return len(files)


class _Image(NamedTuple):
    """An image, and its network inputs.

    Attributes:
      name: what its results are called.
      size: height and width.
      corners: of its tiles, as `prepare.corners` gives them.
      tiles: makes them one by one.
      pixels: gives uint8 `[H, W, 3]`, and reads them again where they are not held.
    """

    name: str
    size: tuple[int, int]
    corners: Sequence[tuple[int, int]]
    tiles: Iterator[np.ndarray]
    pixels: Callable[[], np.ndarray]


def _open(name: str, file: Path, data: DataConfig, most: int) -> _Image:
    """An image that is held in memory if it has at most so many bytes, or several tiles."""

    def read() -> np.ndarray:
        return read_any_image(read_regular(file), data.folder.white)

    pixels = read()
    corners = prepare.corners(pixels.shape[:2], data)
    if data.fit == "resize" and pixels.nbytes > most:
        return _Image(name, pixels.shape[:2], corners, iter([prepare.image(pixels, data)]), read)
    tiles = (prepare.tile(pixels, corner, data) for corner in corners)
    return _Image(name, pixels.shape[:2], corners, tiles, lambda: pixels)


def _chunks(images: Iterable[_Image], size: int) -> Iterator[list[_Image]]:
    """Images in lists of `size` tiles or more."""
    chunk: list[_Image] = []
    for image in images:
        chunk.append(image)
        if sum(len(one.corners) for one in chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _predicted(
    tiles: Iterable[Iterator[np.ndarray]], predict: Callable[[Pool], Predictions], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The output and the uncertainty of each tile of several images, batch by batch."""
    left = itertools.chain.from_iterable(tiles)
    while batch := list(itertools.islice(left, size)):
        images = np.stack(batch)
        predicted = predict(
            Pool(
                names=tuple(map(str, range(len(batch)))),
                images=images,
                masks=np.full(images.shape[:3], IGNORE, np.uint8),
            )
        )
        yield from zip(predicted.values, predicted.uncertainty, strict=True)


def _finish(
    image: _Image, outputs: Iterator[tuple[np.ndarray, np.ndarray]], data: DataConfig, target: Path
) -> None:
    """Assembles the outputs of the tiles of an image and writes the result."""
    whole, uncertainty = prepare.Whole(image.size, data), prepare.Whole(image.size, data)
    for corner in image.corners:
        seen, tile_uncertainty = next(outputs)
        whole.add(seen, corner)
        uncertainty.add(tile_uncertainty, corner)
    mask = _likeliest(whole.result()) if data.fit == "pad" else whole.result()
    write_one(target, image.name, image.pixels(), mask, uncertainty.result())


def _likeliest(probabilities: np.ndarray) -> np.ndarray:
    """Class ids, uint8 `[H, W]`, of probabilities `[H, W, C]`."""
    ids = np.empty(probabilities.shape[:2], np.uint8)
    pixels = probabilities.reshape(ids.size, -1)
    for part in pieces(ids.size):
        ids.reshape(-1)[part] = pixels[part].argmax(-1)
    return ids


def _checked(
    files: Sequence[Path], folder: Path, white: int, problems: list[Problem]
) -> tuple[str, ...]:
    """The names of images, all of which have been decoded once and differ in name.

    Raises:
      DataError: some cannot be, or do not; the report names them all.
    """
    names: dict[str, Path] = {}
    for file in tqdm(files, desc="checking", unit="image", leave=False):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in names:
            problems.append(Problem(str(file), f"would overwrite the result of {names[name]}"))
        names[name] = file
        try:
            read_any_image(read_regular(file), white)
        except UnreadableError as error:
            problems.append(Problem(str(file), str(error)))
        except OSError as error:
            problems.append(Problem(str(file), f"cannot be read: {error.strerror or error}"))
    for name, above in nested(list(names)):
        reason = f"its result would lie in {above}.png, the result of {names[above]}"
        problems.append(Problem(str(names[name]), reason))
    if problems:
        raise DataError(problems, "Repair or remove the files named above, then predict again.")
    return tuple(names)


def write_one(
    target: Path, name: str, image: np.ndarray, mask: np.ndarray, uncertainty: np.ndarray
) -> None:
    """Writes the PNGs `mask/`, `overlay/` and `uncertainty/` of one image, all of its size.

    A mask holds class ids. An uncertainty map is grey, 255 for 1 nat and more.

    Raises:
      ValueError: the name leads out of the target folder.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of {target}")
    pictures = {
        "mask": mask,
        "overlay": palette.overlay(image, mask),
        "uncertainty": _grey(uncertainty),
    }
    for kind, picture in pictures.items():
        file = target / kind / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)


def _grey(uncertainty: np.ndarray) -> np.ndarray:
    """uint8 `[H, W]` of nats, 255 for 1 and more."""
    grey = np.empty(uncertainty.shape, np.uint8)
    values = uncertainty.reshape(-1)
    for part in pieces(values.size):
        grey.reshape(-1)[part] = np.round(255 * np.clip(values[part], 0, 1))
    return grey
