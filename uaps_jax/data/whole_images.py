"""Images of a built dataset at their own size: to be evaluated in tiles, or cut into crops."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import crops, prepare, source, threads
from uaps_jax.data.crops import Crops
from uaps_jax.data.source import Dataset, Pool


@dataclasses.dataclass(frozen=True, kw_only=True)
class WholeImages:
    """Images on disk, of any sizes.

    Attributes:
      names: `[N]`.
      load: name -> image, uint8 RGB `[H, W, 3]`, and mask, uint8 `[H, W]`.
      data: the settings of the tiles in which the network sees them.
    """

    names: tuple[str, ...]
    load: Callable[[str], tuple[np.ndarray, np.ndarray]]
    data: DataConfig


def to_evaluate(dataset: Dataset, names: Sequence[str], data: DataConfig) -> Pool | WholeImages:
    """Images with masks as `evaluation.evaluate` takes them: whole for `data.fit` "crop"."""
    if data.fit != "crop":
        return source.read(dataset, names, data)
    return WholeImages(
        names=tuple(names), load=lambda name: source.decoded(dataset, name), data=data
    )


def to_crop(
    dataset: Dataset, names: Sequence[str], data: DataConfig, *, resident: bool, labeled: bool
) -> Crops:
    """Images of which crops are cut.

    Args:
      dataset: the dataset.
      names: of the images.
      data: the settings of the crops.
      resident: whether the decoded images are kept in memory.
      labeled: whether their masks are used, and so may place the crops.

    Raises:
      ConfigError: crops are to hold defects, and no image has one.
    """

    def load(name: str) -> tuple[np.ndarray, np.ndarray]:
        pixels, ids = source.decoded(dataset, name)
        pixels = prepare.channels(prepare.scaled(pixels, data), data)
        return np.ascontiguousarray(pixels), np.ascontiguousarray(prepare.scaled_mask(ids, data))

    places_crops = labeled and data.defect_share > 0
    held: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    defects: dict[int, crops.Pixels] = {}
    if resident or places_crops:
        for row, (image, mask) in enumerate(threads.mapped(load, names, ahead=threads.THREADS)):
            if resident:
                held[names[row]] = image, mask
            pixels = crops.defect_pixels(mask) if places_crops else ()
            if pixels:
                defects[row] = pixels
    if places_crops and not defects:
        raise ConfigError(
            f"data.defect_share = {data.defect_share}: none of the {len(names)} labeled images has "
            f"a defect at data.scale = {data.scale}; set it to 0, or label images with defects"
        )
    return Crops(
        names=tuple(names),
        load=held.__getitem__ if resident else load,
        defects=defects,
        data=data,
    )


def crops_pool(made: Crops, *, seed: int, stream: str) -> Pool:
    """One uniformly placed crop of each image."""
    cut = [
        crops.cut(made, seed=seed, stream=stream, position=row, row=row, holds_defect=False)
        for row in range(len(made.names))
    ]
    images, masks = (np.stack(parts) for parts in zip(*cut, strict=True))
    return Pool(names=made.names, images=images, masks=masks)


def mebibytes(dataset: Dataset, names: Sequence[str], data: DataConfig) -> float:
    """Memory for whole images and their masks at `data.scale`, in MiB."""
    pixels = 0
    for name in names:
        height, width = prepare.scaled_size(_size(dataset, name), data)
        pixels += height * width
    return pixels * (data.channels + 1) / 2**20


def _size(dataset: Dataset, name: str) -> tuple[int, int]:
    """Height and width of an image, which is not decoded."""
    part, index = dataset.position[name]
    with Image.open(io.BytesIO(dataset.records[part][index]["image"])) as image:
        return image.height, image.width
