"""Masks, overlays and uncertainty maps of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from datasets.common import DataError, UnreadableError, read_image
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import source
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import evaluate
from uaps_jax.inference import palette
from uaps_jax.labels import IGNORE
from uaps_jax.methods.base import Method
from uaps_jax.trees import Tree

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a model says of a pool of images.

    Attributes:
      masks: class ids, uint8 `[N, H, W]`.
      uncertainty: mean KL of the heads to their mean in nats, or, for a method without one, the
        entropy of the prediction; float32 `[N, H, W]`.
      measure: which of the two, for titles.
    """

    masks: np.ndarray
    uncertainty: np.ndarray
    measure: str


Predictor = Callable[[Tree, Pool, int], Predictions]


def make_predictor(config: Config, method: Method) -> Predictor:
    """`(variables, pool, first) -> Predictions` for images at the network's size; compiles once.

    The perturbed heads of an uncertainty draw from the run's seed and the number of the batch
    alone. `first` is the number of the pool's first batch: a pool that comes in pieces of whole
    batches is predicted as it would be in one.
    """
    predictor = method.predictor(config.evaluation.predictor)
    key = jax.random.key(config.train.seed)

    @jax.jit
    def run(variables: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        if method.uncertainty is None:
            doubt = jax.scipy.special.entr(probabilities).sum(-1)
        else:
            doubt = method.uncertainty(variables, images, key)
        return probabilities.argmax(-1).astype(np.uint8), doubt

    def predict(variables: Tree, pool: Pool, first: int) -> Predictions:
        masks, doubts = [], []
        for number, (images, _, count) in enumerate(
            evaluate.batches(pool, config.evaluation.batch_size), start=first
        ):
            mask, doubt = run(variables, images, jax.random.fold_in(key, number))
            masks.append(np.asarray(mask)[:count])
            doubts.append(np.asarray(doubt)[:count])
        return Predictions(
            masks=np.concatenate(masks),
            uncertainty=np.concatenate(doubts),
            measure="entropy" if method.uncertainty is None else "KL of the heads",
        )

    return predict


def predict_folder(
    config: Config, method: Method, variables: Tree, folder: Path, target: Path
) -> int:
    """Predicts every image of a folder, of whatever size, and writes the results in that size.

    Each image is resized to the network's input; its mask and uncertainty are resized back, both
    by nearest neighbour. Results keep the folder's structure.

    Returns:
      The number of images.

    Raises:
      ConfigError: the folder is missing or holds no image.
      DataError: images cannot be read, or two of them differ in the suffix alone; the report
        names them all, and nothing is written.
    """
    if not folder.is_dir():
        raise ConfigError(f"--input={folder}: is not a folder")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        known = ", ".join(sorted(SUFFIXES))
        raise ConfigError(f"--input={folder}: holds no image ({known})")
    names = _checked(files, folder)
    predictor = make_predictor(config, method)
    size = config.evaluation.batch_size
    starts = tqdm(range(0, len(files), size), desc="predicting", unit="batch")
    for number, start in enumerate(starts):
        images = [read_image(file) for file in files[start : start + size]]
        small = np.stack([source.prepare(image, config.data) for image in images])
        unknown = np.full(small.shape[:3], IGNORE, np.uint8)
        pool = Pool(names=names[start : start + size], images=small, masks=unknown)
        found = predictor(variables, pool, number)
        if config.data.transpose:  # back to the way the images stand
            found = dataclasses.replace(
                found,
                masks=found.masks.swapaxes(1, 2),
                uncertainty=found.uncertainty.swapaxes(1, 2),
            )
        write(found, pool.names, images, target)
    return len(files)


def _checked(files: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """The names of images, all of which have been decoded once and differ in name.

    Raises:
      DataError: some cannot be, or do not; the report names them all.
    """
    problems: list[tuple[str, str]] = []
    names: dict[str, Path] = {}
    for file in tqdm(files, desc="checking", unit="image", leave=False):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in names:
            problems.append((str(file), f"would overwrite the result of {names[name]}"))
        names[name] = file
        try:
            read_image(file)
        except (UnreadableError, OSError) as error:
            problems.append((str(file), str(error)))
    if problems:
        raise DataError(problems, "Repair or remove the files named above, then predict again.")
    return tuple(names)


def write(
    found: Predictions, names: Sequence[str], images: Sequence[np.ndarray], target: Path
) -> None:
    """Writes `mask/`, `overlay/` and `uncertainty/` PNGs, at the size of `images`.

    A mask holds class ids. An uncertainty map is grey, 255 for 1 nat and more.
    """
    for name, image, mask, doubt in zip(names, images, found.masks, found.uncertainty, strict=True):
        mask, doubt = (resize_like(array, image) for array in (mask, doubt))
        pictures = {
            "mask": mask,
            "overlay": palette.overlay(image, mask),
            "uncertainty": np.round(255 * np.clip(doubt, 0, 1)).astype(np.uint8),
        }
        for kind, picture in pictures.items():
            file = target / kind / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(file)


def resize_like(array: np.ndarray, image: np.ndarray) -> np.ndarray:
    """`array` `[h, w]` at the height and width of `image`, by nearest neighbour."""
    height, width = image.shape[:2]
    rows = np.arange(height) * array.shape[0] // height
    columns = np.arange(width) * array.shape[1] // width
    return array[rows[:, None], columns[None]]
