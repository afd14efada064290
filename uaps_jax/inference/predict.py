"""Masks, overlays and uncertainty maps of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image

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


def predict_pool(config: Config, method: Method, variables: Tree, pool: Pool) -> Predictions:
    """Predicts images that are at the network's size already."""
    predictor = method.predictor(config.evaluation.predictor)

    @jax.jit
    def run(variables: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        if method.uncertainty is None:
            doubt = jax.scipy.special.entr(probabilities).sum(-1)
        else:
            doubt = method.uncertainty(variables, images, key)
        return probabilities.argmax(-1).astype(np.uint8), doubt

    # The perturbed heads draw from the run's seed and the number of the batch alone.
    key = jax.random.key(config.train.seed)
    masks, doubts = [], []
    for number, (images, _, count) in enumerate(
        evaluate.batches(pool, config.evaluation.batch_size)
    ):
        mask, doubt = run(variables, images, jax.random.fold_in(key, number))
        masks.append(np.asarray(mask)[:count])
        doubts.append(np.asarray(doubt)[:count])
    return Predictions(
        masks=np.concatenate(masks),
        uncertainty=np.concatenate(doubts),
        measure="entropy" if method.uncertainty is None else "KL of the heads",
    )


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
    problems: list[tuple[str, str]] = []
    images: list[np.ndarray] = []
    names: dict[str, Path] = {}
    for file in files:
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in names:
            problems.append((str(file), f"would overwrite the result of {names[name]}"))
        names[name] = file
        try:
            images.append(read_image(file))
        except (UnreadableError, OSError) as error:
            problems.append((str(file), str(error)))
    if problems:
        raise DataError(problems, "Repair or remove the files named above, then predict again.")
    small = np.stack([source.prepare(image, config.data) for image in images])
    pool = Pool(names=tuple(names), images=small, masks=np.full(small.shape[:3], IGNORE, np.uint8))
    found = predict_pool(config, method, variables, pool)
    if config.data.transpose:  # back to the way the images stand
        found = dataclasses.replace(
            found,
            masks=found.masks.swapaxes(1, 2),
            uncertainty=found.uncertainty.swapaxes(1, 2),
        )
    write(found, pool.names, images, target)
    return len(images)


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
