"""The files of an image in a folder of targets."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from uaps_jax import files, palette
from uaps_jax.config import DataConfig
from uaps_jax.data import prepare, source, targets
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import read_mask


def file_of(folder: Path, kind: str, name: str) -> Path:
    """The file of an image in a folder of targets.

    Args:
      folder: of the targets.
      kind: the subfolder, such as `targets.MASKS`.
      name: of the image.
    """
    return folder / kind / f"{name}{targets.SUFFIX}"


def write(
    folder: Path, kind: str, name: str, values: np.ndarray, dataset: Dataset, data: DataConfig
) -> None:
    """Writes a mask, a palette PNG, or weights, a grey one, at the size of the image.

    Args:
      folder: of the targets.
      kind: `targets.MASKS` or `targets.WEIGHTS`.
      name: of the image.
      values: uint8 `[H, W]`, at the size of the network's input.
      dataset: has the image.
      data: the settings of that size.
    """
    restored = prepare.restored(values, source.size(dataset, name), data)
    content = palette.png(restored) if kind == targets.MASKS else grey_png(restored)
    write_content(file_of(folder, kind, name), content)


def write_content(file: Path, content: bytes) -> None:
    """Writes a file at once, in a folder that is made for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(file, content)


def grey_png(values: np.ndarray) -> bytes:
    """A grey PNG of 8 or 16 bits of uint8 or uint16 `[H, W]`."""
    content = io.BytesIO()
    Image.fromarray(values).save(content, format="PNG")
    return content.getvalue()


def read_grey(file: Path) -> np.ndarray:
    """The values of a file of `grey_png`."""
    with Image.open(file) as picture:
        return np.array(picture)


def names_in(folder: Path) -> list[str]:
    """The names of the images that have a mask in a folder of targets, sorted."""
    masks = folder / targets.MASKS
    return sorted(
        file.relative_to(masks).as_posix().removesuffix(targets.SUFFIX)
        for file in masks.rglob(f"*{targets.SUFFIX}")
    )


def read(folder: Path, kind: str, name: str, data: DataConfig) -> np.ndarray:
    """A mask or weights at the size of the network's input, uint8 `[H, W]`."""
    values = read_mask(file_of(folder, kind, name))
    return prepare.mask(values, data) if kind == targets.MASKS else prepare.weight(values, data)


def of_size(data: DataConfig) -> dict[str, Any]:
    """The settings of the size of the network's input, on which such files depend."""
    return {
        "height": data.height,
        "width": data.width,
        "transpose": data.transpose,
        "fit": data.fit,
        "resampling": data.resampling,
    }


def truth(dataset: Dataset, name: str, data: DataConfig) -> np.ndarray:
    """The mask of the dataset at the size of the network's input, uint8 `[H, W]`."""
    part, index = dataset.position[name]
    return prepare.mask(read_mask(dataset.records[part][index]["mask"]), data)


def missing(folder: Path, kinds: Sequence[str], names: Sequence[str], size: int) -> list[str]:
    """The names of the batches of `size` of which a file is missing.

    Whole batches are made again, so that what an image gets does not depend on an interruption.
    """
    batches = [names[start : start + size] for start in range(0, len(names), size)]
    return [
        name
        for batch in batches
        if not all(file_of(folder, kind, n).exists() for n in batch for kind in kinds)
        for name in batch
    ]
