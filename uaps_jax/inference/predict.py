"""Masks, overlays and uncertainty maps of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from datasets.common import DataError, Problem, UnreadableError
from datasets.folder.images import read_any_image
from datasets.folder.scan import IMAGE_SUFFIXES, walk
from uaps_jax import compiler
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import prepare
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import evaluate
from uaps_jax.inference import palette
from uaps_jax.labels import IGNORE
from uaps_jax.methods.base import Method
from uaps_jax.trees import Tree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a model says of a pool of images.

    Attributes:
      found: class ids, uint8 `[N, H, W]`, or, where they were asked for, probabilities
        `[N, H, W, C]`.
      uncertainty: mean KL of the heads to their mean in nats, or, for a method without one, the
        entropy of the prediction; float32 `[N, H, W]`.
      measure: which of the two, for titles.
    """

    found: np.ndarray
    uncertainty: np.ndarray
    measure: str

    @property
    def masks(self) -> np.ndarray:
        """Class ids, uint8 `[N, H, W]`."""
        return self.found if self.found.ndim == 3 else self.found.argmax(-1).astype(np.uint8)


Predict = Callable[[Tree, Pool, int], Predictions]


def make_predictor(config: Config, method: Method, *, soft: bool = False) -> Predict:
    """`(variables, pool, first) -> Predictions` for images at the network's size; compiles once.

    With `soft`, probabilities are what is found, else class ids.

    The perturbed heads of an uncertainty draw from the run's seed and the number of the batch
    alone. `first` is the number of the pool's first batch: a pool that comes in pieces of whole
    batches is predicted as it would be in one.
    """
    predictor = method.predictor(config.evaluation.predictor)
    key = jax.random.key(config.train.seed)

    @compiler.jit_for_long
    def run(variables: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        if method.uncertainty is None:
            doubt = jax.scipy.special.entr(probabilities).sum(-1)
        else:
            doubt = method.uncertainty(variables, images, key)
        found = probabilities if soft else probabilities.argmax(-1).astype(np.uint8)
        return found, doubt

    def predict(variables: Tree, pool: Pool, first: int) -> Predictions:
        founds, doubts = [], []
        for number, (images, _, count) in enumerate(
            evaluate.batches(pool, config.evaluation.batch_size), start=first
        ):
            found, doubt = run(variables, images, jax.random.fold_in(key, number))
            founds.append(np.asarray(found)[:count])
            doubts.append(np.asarray(doubt)[:count])
        return Predictions(
            found=np.concatenate(founds),
            uncertainty=np.concatenate(doubts),
            measure="entropy" if method.uncertainty is None else "KL of the heads",
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
      ConfigError: the folder is missing or holds no image.
      DataError: images cannot be read, or two of them differ in the suffix alone; the report
        names them all, and nothing is written.
    """
    if not folder.is_dir():
        raise ConfigError(f"--input={folder}: is not a folder")
    problems: list[Problem] = []
    files = sorted(walk(folder, problems, leave_out=target))
    if not files and not problems:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ConfigError(f"--input={folder}: holds no image ({known})")
    white = config.data.folder.white
    names = _checked(files, folder, white, problems)
    blend = config.data.fit == "pad"
    predictor = make_predictor(config, method, soft=blend)
    size, first = config.evaluation.batch_size, 0
    read = (
        _Tiled(name, image, *prepare.tiles(image, config.data))
        for name, file in zip(names, tqdm(files, desc="predicting", unit="image"), strict=True)
        for image in [read_any_image(file.read_bytes(), white)]
    )
    for group in _groups(read, size):
        pieces = np.concatenate([one.tiles for one in group])
        pool = Pool(
            names=tuple(map(str, range(len(pieces)))),
            images=pieces,
            masks=np.full(pieces.shape[:3], IGNORE, np.uint8),
        )
        predicted = predictor(variables, pool, first)
        first += -(-len(pieces) // size)
        ends = np.cumsum([len(one.tiles) for one in group])[:-1]
        seens, doubts = (np.split(a, ends) for a in (predicted.found, predicted.uncertainty))
        for one, seen, doubt in zip(group, seens, doubts, strict=True):
            whole, doubtful = (
                prepare.untiled(array, one.corners, one.image.shape[:2], config.data)
                for array in (seen, doubt)
            )
            mask = whole.argmax(-1).astype(np.uint8) if blend else whole
            write_one(target, one.name, one.image, mask, doubtful)
    return len(files)


class _Tiled(NamedTuple):
    """An image, and its network inputs as `prepare.tiles` gives them."""

    name: str
    image: np.ndarray
    tiles: np.ndarray
    corners: Sequence[tuple[int, int]]


def _groups(images: Iterable[_Tiled], size: int) -> Iterator[list[_Tiled]]:
    """Images in groups of `size` tiles or more, the last one of what is left."""
    group: list[_Tiled] = []
    for image in images:
        group.append(image)
        if sum(len(one.tiles) for one in group) >= size:
            yield group
            group = []
    if group:
        yield group


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
            read_any_image(file.read_bytes(), white)
        except (UnreadableError, OSError) as error:
            problems.append(Problem(str(file), str(error)))
    if problems:
        raise DataError(problems, "Repair or remove the files named above, then predict again.")
    return tuple(names)


def write_one(
    target: Path, name: str, image: np.ndarray, mask: np.ndarray, doubt: np.ndarray
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
        "uncertainty": np.round(255 * np.clip(doubt, 0, 1)).astype(np.uint8),
    }
    for kind, picture in pictures.items():
        file = target / kind / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
