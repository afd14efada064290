"""Built datasets: opening, building where needed, and reading into arrays."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grain
import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from uaps_jax import datasets
from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import prepare
from uaps_jax.data.places import expanded, raw_folder
from uaps_jax.datasets.common import DataError, NothingFoundError, read_image, read_mask
from uaps_jax.datasets.folder import scan
from uaps_jax.datasets.segmentation_builder import SegmentationBuilder

READ_THREADS = 4
SOURCE = "source.txt"  # in a build: a digest of the names of what it was made of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A built dataset whose images are still on disk.

    Attributes:
      name: of the TFDS builder.
      build: name, configuration and version of what was built; of a user's folder, its state.
      class_names: background first.
      records: per TFDS split, a random-access source of examples, images and masks encoded.
      position: name -> (TFDS split, index in it).
      groups: name -> group.
      masked: names of the images that have a mask.
    """

    name: str
    build: str
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """Images on disk.

    Attributes:
      names: `[N]`.
      load: name -> image uint8 `[H, W, C]` and mask uint8 `[H, W]`; called by several threads.
    """

    names: tuple[str, ...]
    load: Callable[[str], tuple[np.ndarray, np.ndarray]]


Images = Pool | Files


def open_dataset(data: DataConfig) -> Dataset:
    """Opens the dataset that `data` names, and builds it first where that has not been done.

    Raises:
      ConfigError: the dataset is unknown, or its raw data are not there.
      DataError: files of the raw data are bad; the report names them all.
    """
    builder = _builder(data)
    if not builder.info.splits:
        _build(builder, data)
    else:
        _check_source(builder, data)
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
        build=builder.info.full_name,
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
    module = importlib.import_module(f"uaps_jax.datasets.{base}.{base}_dataset_builder")
    builder = module.Builder
    variants = [f"{base}/{c}" for c in builder.builder_configs]
    if variant and data.name not in variants:
        raise ConfigError(
            f"data.name = {data.name!r}: must be one of {', '.join([base, *variants])}"
        )
    config: Any = variant or None
    if base == "folder":  # Its configurations are the states of a user's folder.
        with _nothing_found_explained(builder, data):
            config = module.configure(_folder_settings(builder, data))
    target = expanded(data.data_dir, "data.data_dir").resolve()
    return builder(config=config, data_dir=str(target), file_format="array_record")


def _build(builder: tfds.core.DatasetBuilder, data: DataConfig) -> None:
    """Builds a dataset of its raw data, and notes what it was made of."""
    folder = _manual_dir(builder, data)
    logging.info("building %s in %s", data.name, builder.data_path)
    made_of = None
    if isinstance(builder, SegmentationBuilder):
        with _nothing_found_explained(builder, data):  # before TFDS writes anything
            made_of = builder.source_digest(Path(folder))
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    if made_of is not None:
        (Path(builder.data_path) / SOURCE).write_text(made_of)


def _check_source(builder: tfds.core.DatasetBuilder, data: DataConfig) -> None:
    """Checks that a build was made of the raw data that are there, if any are.

    Raises:
      ConfigError: it was made of others, or of an incomplete download.
    """
    made_of, folder = Path(builder.data_path) / SOURCE, raw_folder(data)
    if not (isinstance(builder, SegmentationBuilder) and made_of.exists()):
        return
    if not data.manual_dir and not folder.is_dir():
        return
    try:
        digest = builder.source_digest(folder)
    except (DataError, OSError) as error:
        if data.manual_dir or not isinstance(error, NothingFoundError):
            logging.warning("using what was built before: %s", str(error).splitlines()[0])
        return
    if digest != made_of.read_text():
        name = "data.manual_dir =" if data.manual_dir else "the default folder,"
        raise ConfigError(
            f"{builder.data_path} was built of other files than those in {name} "
            f"{folder}: remove it to build anew, or choose another data.data_dir"
        )


def _folder_settings(builder: Any, data: DataConfig) -> scan.Settings:
    values = {
        field.name: getattr(data.folder, field.name) for field in dataclasses.fields(data.folder)
    }
    return scan.Settings(root=Path(_manual_dir(builder, data)), **values)


def _manual_dir(builder: Any, data: DataConfig) -> str:
    """The folder of the raw data; "" for a dataset that needs none.

    Raises:
      ConfigError: it does not exist.
    """
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if not instructions:
        return ""
    folder = raw_folder(data)
    if folder.is_dir():
        return str(folder)
    if not data.manual_dir:
        raise _absent(builder, data)
    reason = "is a file; give the folder it is in" if folder.exists() else "does not exist"
    raise ConfigError(
        f"data.manual_dir = {folder}: {reason}. {_base_name(data)} cannot be downloaded "
        f"automatically. {instructions.strip()}\n"
        "Then pass the folder: --config.data.manual_dir=FOLDER"
    )


@contextlib.contextmanager
def _nothing_found_explained(builder: Any, data: DataConfig) -> Iterator[None]:
    """Where nothing at all is in the default folder, says in a sentence what has to go there."""
    try:
        yield
    except NothingFoundError as error:
        if data.manual_dir or not error.is_plain:
            raise
        raise _absent(builder, data) from error


def _absent(builder: Any, data: DataConfig) -> ConfigError:
    """The sentence about raw data that are not in the default folder."""
    return ConfigError(
        f"{_base_name(data)} is not there yet: put {builder.DOWNLOAD} into {raw_folder(data)}, or "
        "pass --config.data.manual_dir=FOLDER"
    )


def _base_name(data: DataConfig) -> str:
    """The dataset without its own configuration."""
    return data.name.partition("/")[0]


def files(dataset: Dataset, names: Sequence[str], data: DataConfig) -> Files:
    """Images that stay on disk until they are asked for, at the network's size then."""

    def load(name: str) -> tuple[np.ndarray, np.ndarray]:
        part, index = dataset.position[name]
        example = dataset.records[part][index]
        image, mask = read_image(example["image"]), read_mask(example["mask"])
        return prepare.image(image, data), prepare.mask(mask, data)

    return Files(names=tuple(names), load=load)


def read(dataset: Dataset, names: Sequence[str], data: DataConfig) -> Pool:
    """Decodes images and masks, several at a time, at the network's size, in order of `names`."""
    height, width = data.network_size
    images = np.empty((len(names), height, width, data.channels), np.uint8)
    masks = np.empty((len(names), height, width), np.uint8)
    options = grain.ReadOptions(num_threads=READ_THREADS, prefetch_buffer_size=4 * READ_THREADS)
    load = files(dataset, names, data).load
    loaded = grain.MapDataset.source(list(names)).map(load).to_iter_dataset(options)
    for row, (image, mask) in enumerate(loaded):
        images[row], masks[row] = image, mask
    return Pool(names=tuple(names), images=images, masks=masks)


def mebibytes(count: int, data: DataConfig) -> float:
    """What so many images and masks take in memory, at the network's size."""
    return count * data.height * data.width * (data.channels + 1) / 2**20
