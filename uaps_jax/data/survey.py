"""Measurements of every image and mask of a dataset, for an audit and its page."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from uaps_jax.data import source, threads
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.pieces import count_values
from uaps_jax.datasets.similarity import THUMBNAIL, TURNS_AND_FLIPS, thumbnail, turned
from uaps_jax.labels import IGNORE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Survey:
    """Measurements of all images, in the order of `names`.

    Attributes:
      names: sorted.
      sizes: height and width, int `[N, 2]`.
      pixels: number of pixels of each class and, last, without a label, int `[N, C + 1]`.
      has_mask: bool `[N]`.
      brightness: mean grey level, 0..255, float `[N]`.
      thumbnails: grey, float32 `[N, S, S]`.
      content: digest, equal for images with equal pixels up to rotations by 90 degrees and flips,
        `[N]`.
      mask_content: the same digest of the mask, `[N]`; "" for images whose content is unique.
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    pixels: np.ndarray
    has_mask: np.ndarray
    brightness: np.ndarray
    thumbnails: np.ndarray
    content: tuple[str, ...]
    mask_content: tuple[str, ...]

    @property
    def annotated(self) -> np.ndarray:
        """Images whose mask gives at least one pixel a class, bool `[N]`."""
        annotated: np.ndarray = self.has_mask & (self.pixels[:, :-1].sum(1) > 0)
        return annotated

    @property
    def clean(self) -> np.ndarray:
        """Images whose mask has annotated pixels, all of them background, bool `[N]`."""
        clean: np.ndarray = self.annotated & (self.pixels[:, 1:-1].sum(1) == 0)
        return clean


def survey(dataset: Dataset) -> Survey:
    """Reads every image and mask of a dataset."""
    names = sorted(dataset.position)
    classes = len(dataset.class_names)
    rows = list(tqdm(_measured(dataset, names), total=len(names), desc="measuring", unit="image"))
    sizes, pixels, brightness, thumbnails, keys = zip(*rows, strict=True)
    content, mask_content = _digests(dataset, names, keys)
    return Survey(
        names=tuple(names),
        sizes=np.array(sizes),
        pixels=np.stack([np.append(p[:classes], p[IGNORE]) for p in pixels]),
        has_mask=np.array([name in dataset.masked for name in names]),
        brightness=np.array(brightness),
        thumbnails=np.stack(thumbnails).reshape(-1, THUMBNAIL, THUMBNAIL),
        content=tuple(content),
        mask_content=tuple(mask_content),
    )


Row = tuple[tuple[int, int], np.ndarray, float, np.ndarray, str]


def _measured(dataset: Dataset, names: list[str]) -> Iterator[Row]:
    def measure(name: str) -> Row:
        image, mask = source.decoded(dataset, name)
        small = thumbnail(image)
        return (
            image.shape[:2],
            count_values(mask, IGNORE + 1),
            float(small.mean()),
            small,
            histogram_digest(image),
        )

    return threads.mapped(measure, names)


def _digests(
    dataset: Dataset, names: Sequence[str], keys: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Content digests of images and masks; computed only for images with equal keys."""
    counts = Counter(keys)
    content, mask_content = list(keys), [""] * len(names)
    for row, (name, key) in enumerate(zip(names, keys, strict=True)):
        if counts[key] > 1:
            image, mask = source.decoded(dataset, name)
            content[row] = content_digest(image)
            mask_content[row] = content_digest(mask) if name in dataset.masked else ""
    return content, mask_content


def histogram_digest(array: np.ndarray) -> str:
    """A digest of the histogram of an image, which rotations by 90 degrees and flips keep."""
    counts = count_values(array, 256)
    text = f"{sorted(array.shape[:2])}".encode() + counts.tobytes()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def content_digest(array: np.ndarray) -> str:
    """A digest of an image or mask, equal for its rotations by 90 degrees and its flips."""
    digests = []
    for symmetry in TURNS_AND_FLIPS:
        transformed = np.ascontiguousarray(turned(array[None], *symmetry)[0])
        digest = hashlib.blake2b(str(transformed.shape).encode(), digest_size=16)
        digest.update(transformed.data)
        digests.append(digest.hexdigest())
    return min(digests)
