"""Built datasets and their images: on disk, or decoded into arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow_datasets as tfds

from uaps_jax.config import DataConfig
from uaps_jax.data import build, prepare, threads
from uaps_jax.data.crops import Crops
from uaps_jax.datasets.common import open_image, read_image, read_mask


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A built dataset whose images are still on disk.

    Attributes:
      name: of the TFDS builder.
      build: name, TFDS configuration and version; of a user's folder, also its state.
      class_names: background first.
      records: per TFDS split, a random-access source of examples, images and masks encoded.
      position: name -> (TFDS split, index in it).
      groups: name -> leakage group; negative if unknown.
      masked: names of the images that have a mask.
      image_labels: name -> ids of the classes of the image, without the background, of the images
        of a user's folder that have labels as a whole.
    """

    name: str
    build: str
    class_names: tuple[str, ...]
    records: Mapping[str, Any]
    position: Mapping[str, tuple[str, int]]
    groups: Mapping[str, int]
    masked: frozenset[str]
    image_labels: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """Images in memory, as the network's input.

    Attributes:
      names: `[N]`.
      images: uint8 `[N, H, W, C]`.
      masks: uint8 class ids `[N, H, W]`, 255 where there is no label.
      weights: of each pixel, uint8 `[N, H, W]`; None without.
      defective: rows of the images with a defect, of which `data.defect_share` of a batch are
        drawn; empty if all images are drawn alike.
    """

    names: tuple[str, ...]
    images: np.ndarray
    masks: np.ndarray
    weights: np.ndarray | None = None
    defective: tuple[int, ...] = ()

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """The arrays by the names of a stream's fields."""
        known = {"image": self.images, "mask": self.masks}
        return known if self.weights is None else known | {"weight": self.weights}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """Images on disk.

    Attributes:
      names: `[N]`.
      load: name -> `image` uint8 `[H, W, C]`, `mask` uint8 `[H, W]` and, with targets that have
        weights, `weight` uint8 `[H, W]`, as the network's input; called by several threads.
      defective: as of `Pool`.
    """

    names: tuple[str, ...]
    load: Callable[[str], dict[str, np.ndarray]]
    defective: tuple[int, ...] = ()


Images = Pool | Files | Crops
"""Images of which batches are made: all in memory, decoded when needed, or cut into crops."""


def masks(images: Images) -> Iterator[np.ndarray]:
    """The masks of images, uint8 `[H, W]`; those that are not in memory are read."""
    if isinstance(images, Pool):
        return iter(images.masks)
    if isinstance(images, Crops):
        whole = threads.mapped(images.load, images.names, ahead=threads.THREADS)
        return (mask for _, mask in whole)
    return (fields["mask"] for fields in threads.mapped(images.load, images.names))


class Targets(Protocol):
    """Masks in place of those of the dataset."""

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Mask and weights of an image, uint8 `[H, W]` at its size; None for no weights."""


def open_dataset(data: DataConfig) -> Dataset:
    """The dataset `data.name`, built from its raw data if necessary.

    Raises:
      ConfigError: the dataset is unknown, its raw data do not exist, or it was built from others.
      DataError: files of the raw data are bad; the message lists all of them.
    """
    builder = build.built(data)
    # TFDS would decode with OpenCV if that is installed; its pixels differ from Pillow's.
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
        image_labels=getattr(builder.builder_config, "image_labels", {}),
    )


def pixels(dataset: Dataset, name: str) -> np.ndarray:
    """An image, uint8 RGB `[H, W, 3]`, at its own size."""
    return read_image(_example(dataset, name)["image"])


def size(dataset: Dataset, name: str) -> tuple[int, int]:
    """Height and width of an image."""
    width, height = open_image(_example(dataset, name)["image"]).size
    return height, width


def decoded(dataset: Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """An image, uint8 RGB `[H, W, 3]`, and its mask, uint8 `[H, W]`, at their own size."""
    example = _example(dataset, name)
    return read_image(example["image"]), read_mask(example["mask"])


def _example(dataset: Dataset, name: str) -> Mapping[str, Any]:
    part, index = dataset.position[name]
    example: Mapping[str, Any] = dataset.records[part][index]
    return example


def padded(images: np.ndarray, size: int) -> np.ndarray:
    """A batch of `size` images, filled up with the first one, so that one program serves all."""
    missing = size - len(images)
    return np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images


def files(
    dataset: Dataset, names: Sequence[str], data: DataConfig, targets: Targets | None = None
) -> Files:
    """Images on disk, which are decoded when they are loaded, with their masks or targets."""

    def load(name: str) -> dict[str, np.ndarray]:
        pixels, mask = decoded(dataset, name)
        image = prepare.image(pixels, data)
        if targets is None:
            return {"image": image, "mask": prepare.mask(mask, data)}
        mask, weight = targets.read(name)
        fields = {"image": image, "mask": prepare.mask(mask, data)}
        return fields if weight is None else fields | {"weight": prepare.weight(weight, data)}

    return Files(names=tuple(names), load=load)


def read(
    dataset: Dataset, names: Sequence[str], data: DataConfig, targets: Targets | None = None
) -> Pool:
    """Decodes what `files` loads by several threads; the result is in the order of `names`."""
    height, width = data.network_size
    images = np.empty((len(names), height, width, data.channels), np.uint8)
    masks = np.empty((len(names), height, width), np.uint8)
    weights = np.empty_like(masks) if targets is not None and data.targets.weights else None
    load = files(dataset, names, data, targets).load
    for row, fields in enumerate(threads.mapped(load, list(names))):
        images[row], masks[row] = fields["image"], fields["mask"]
        if weights is not None:
            weights[row] = fields["weight"]
    return Pool(names=tuple(names), images=images, masks=masks, weights=weights)


def mebibytes(count: int, weighted: int, data: DataConfig) -> float:
    """Memory for images and masks as the network's input, in MiB.

    Args:
      count: of the images.
      weighted: how many of them have weights of pixels, too.
      data: size and channels.
    """
    return data.height * data.width * (count * (data.channels + 1) + weighted) / 2**20
