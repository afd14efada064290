"""Built datasets: opening, building where needed, and reading into arrays."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grain
import numpy as np
import tensorflow_datasets as tfds
from absl import logging

import datasets
from datasets.common import read_image, read_mask
from uaps_jax.config import ConfigError, DataConfig

READ_THREADS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A built dataset whose images are still on disk.

    Attributes:
      name: of the TFDS builder.
      class_names: background first.
      records: per TFDS split, a random-access source of examples, images and masks encoded.
      position: name -> (TFDS split, index in it).
      groups: name -> group.
      masked: names of the images that have a mask.
    """

    name: str
    class_names: tuple[str, ...]
    records: Mapping[str, Any]
    position: Mapping[str, tuple[str, int]]
    groups: Mapping[str, int]
    masked: frozenset[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """Images in memory, at the size the network sees.

    Attributes:
      names: `[N]`.
      images: uint8 `[N, H, W, C]`.
      masks: uint8 class ids `[N, H, W]`, 255 where there is no label.
    """

    names: tuple[str, ...]
    images: np.ndarray
    masks: np.ndarray


def open_dataset(data: DataConfig) -> Dataset:
    """Opens the dataset that `data` names, and builds it first where that has not been done.

    Raises:
      ConfigError: the dataset is unknown, or the folder of its download is not there.
      DataError: files of the download are bad; the report names them all.
    """
    builder = _builder(data)
    if not builder.info.splits:
        manual_dir = _manual_dir(builder, data)
        logging.info("building %s in %s", data.name, builder.data_path)
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
        )
    # TFDS would decode with OpenCV where it is installed, whose pixels differ from Pillow's.
    encoded = {key: tfds.decode.SkipDecoding() for key in ("image", "mask")}
    records, position, groups, masked = {}, {}, {}, set()
    for split in builder.info.splits:
        records[split] = builder.as_data_source(split, decoders=encoded)
        for index, example in enumerate(records[split]):
            name = example["name"].decode()
            position[name] = (split, index)
            groups[name] = int(example["group"])
            if example["has_mask"]:
                masked.add(name)
    return Dataset(
        name=builder.name,
        class_names=tuple(builder.info.features["mask"].names),
        records=records,
        position=position,
        groups=groups,
        masked=frozenset(masked),
    )


def _builder(data: DataConfig) -> tfds.core.DatasetBuilder:
    base, _, variant = data.name.partition("/")
    known = sorted(m.name for m in pkgutil.iter_modules(datasets.__path__) if m.ispkg)
    if base not in known:
        raise ConfigError(f"data.name = {base!r}: must be one of {', '.join(known)}")
    builder = importlib.import_module(f"datasets.{base}.{base}_dataset_builder").Builder
    variants = [f"{base}/{c}" for c in builder.builder_configs]
    if variant and data.name not in variants:
        raise ConfigError(
            f"data.name = {data.name!r}: must be one of {', '.join([base, *variants])}"
        )
    folder = Path(data.data_dir).expanduser().resolve()
    return builder(config=variant or None, data_dir=str(folder), file_format="array_record")


def _manual_dir(builder: tfds.core.DatasetBuilder, data: DataConfig) -> str | None:
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if not instructions:
        return None
    advice = (
        f"{builder.name} has to be downloaded by hand. {instructions.strip()}\n"
        "Then pass its folder: --config.data.manual_dir=FOLDER"
    )
    if not data.manual_dir:
        raise ConfigError(f"data.manual_dir is not set. {advice}")
    folder = Path(data.manual_dir).expanduser().resolve()
    if not folder.is_dir():
        reason = "is a file; give the folder it is in" if folder.exists() else "does not exist"
        raise ConfigError(f"data.manual_dir = {folder}: {reason}. {advice}")
    return str(folder)


def read(dataset: Dataset, names: Sequence[str], data: DataConfig) -> Pool:
    """Decodes and resizes images and masks, several at a time, in the order of `names`."""

    def load(name: str) -> tuple[np.ndarray, np.ndarray]:
        part, index = dataset.position[name]
        example = dataset.records[part][index]
        image, mask = read_image(example["image"]), read_mask(example["mask"])
        return prepare(image, data), prepare(mask[..., None], data)[..., 0]

    height, width = (data.width, data.height) if data.transpose else (data.height, data.width)
    images = np.empty((len(names), height, width, data.channels), np.uint8)
    masks = np.empty((len(names), height, width), np.uint8)
    options = grain.ReadOptions(num_threads=READ_THREADS, prefetch_buffer_size=4 * READ_THREADS)
    loaded = grain.MapDataset.source(list(names)).map(load).to_iter_dataset(options)
    for row, (image, mask) in enumerate(loaded):
        images[row], masks[row] = image, mask
    return Pool(names=tuple(names), images=images, masks=masks)


def prepare(image: np.ndarray, data: DataConfig) -> np.ndarray:
    """An image or mask `[H, W, C]` at the network's size and, for images, channel count.

    Nearest neighbour as OpenCV takes it, source row floor(i * in / out), for images and masks
    alike, as the released loaders do.
    """
    rows = np.arange(data.height) * image.shape[0] // data.height
    columns = np.arange(data.width) * image.shape[1] // data.width
    image = image[rows[:, None], columns[None]]
    if image.shape[-1] == 3 and data.channels == 1:
        image = np.round(image @ np.array([0.299, 0.587, 0.114]))[..., None].astype(np.uint8)
    return image.swapaxes(0, 1) if data.transpose else image
