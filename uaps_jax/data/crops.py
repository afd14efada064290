"""Random crops of images of any size, a pure function of the seed, the stream and the position.

The crop at a position of a stream does not depend on the crops before it, on the number of threads
or processes, or on whether the images are in memory. So a run that resumes draws the same crops.

Of the labeled crops, the share `data.defect_share` holds a defect (`order.draw`): one of the
classes of their image is drawn, then one pixel of that class, and the crop is placed around the
pixel (as nnU-Net draws patches that hold foreground, Isensee et al. 2021). The other crops, and
those of unlabeled images, take the next of all images and a uniformly drawn place.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.data import order, prepare, resample
from uaps_jax.data.order import Draw
from uaps_jax.labels import IGNORE

MOST_PIXELS = 1000
"""Pixels of a class that are kept of an image, evenly spaced, as places for crops."""

Pixels = tuple[np.ndarray, ...]
"""For each class in an image, the places of its pixels, y * width + x, int32 `[P]`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crops:
    """Images of which a training draws crops.

    Attributes:
      names: `[N]`.
      load: name -> the whole image, uint8 `[H, W, C]`, and its mask, uint8 `[H, W]`, both at
        `data.scale`; called by several threads.
      defects: row of an image with a defect -> the places of its defects; empty if crops are drawn
        uniformly.
      data: size and scale of the crops, and the share of those that hold a defect.
    """

    names: tuple[str, ...]
    load: Callable[[str], tuple[np.ndarray, np.ndarray]]
    defects: Mapping[int, Pixels]
    data: DataConfig

    @functools.cached_property
    def defective(self) -> tuple[int, ...]:
        """The rows of the images with a defect, ascending."""
        return tuple(sorted(self.defects))


def cut(
    crops: Crops, *, seed: int, stream: str, position: int, row: int, holds_defect: bool
) -> tuple[np.ndarray, np.ndarray]:
    """One crop: image uint8 `[h, w, C]` and mask uint8 `[h, w]`, as the network's input.

    Args:
      crops: the images.
      seed: of the run.
      stream: its name.
      position: of the crop in the stream.
      row: of its image.
      holds_defect: whether it is placed around a defect of its image.
    """
    data = crops.data
    entropy = (seed, zlib.crc32(stream.encode()), position, zlib.crc32(b"crop"))
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
    pixels, ids = crops.load(crops.names[row])
    low, high = data.crop_scale_range
    factor = math.exp(random.uniform(math.log(low), math.log(high)))
    target: tuple[int, ...] | tuple[None, None] = (None, None)
    if holds_defect:
        of_class = crops.defects[row]
        places = of_class[random.integers(len(of_class))]
        target = divmod(int(places[random.integers(len(places))]), ids.shape[1])
    starts = [
        start(random, size, wanted, factor, at)
        for size, wanted, at in zip(ids.shape, (data.height, data.width), target, strict=True)
    ]
    image, mask = _window(pixels, ids, (starts[0], starts[1]), factor, data)
    return prepare.oriented(image, data), prepare.oriented(mask, data)


def cut_batch(
    crops: Crops, drawn: Draw, *, seed: int, stream: str
) -> tuple[np.ndarray, np.ndarray]:
    """The crops of a batch or of a part of it: images uint8 `[B, h, w, C]`, masks `[B, h, w]`."""
    made = [
        cut(
            crops,
            seed=seed,
            stream=stream,
            position=int(position),
            row=int(row),
            holds_defect=bool(holds_defect),
        )
        for position, row, holds_defect in zip(*drawn, strict=True)
    ]
    images, masks = zip(*made, strict=True)
    return np.stack(images), np.stack(masks)


def start(
    random: np.random.Generator, size: int, wanted: int, factor: float, target: int | None
) -> float:
    """Where a crop begins along one axis; a whole number if the factor is 1.

    Args:
      random: source of the place, uniform over those inside of the image.
      size: of the image; if the crop extends over it, it is in the crop's middle.
      wanted: pixels of the crop, each of 1 / `factor` pixels of the image.
      factor: of the crop's scale.
      target: an element of the image at which the crop has the centre of a pixel; None for any.
    """
    span = wanted / factor
    last = math.floor(size - span)
    if last <= 0:
        begin = (size - span) // 2 if size < span else 0
    elif target is None:
        begin = int(random.integers(0, last + 1))
    else:
        high = min(target, last)
        low = min(max(0, math.ceil(target + 1 - span)), high)
        begin = int(random.integers(low, high + 1))
    if target is None:
        return begin
    pixel = min(max(math.floor((target + 0.5 - begin) * factor), 0), wanted - 1)
    return target + 0.5 - (pixel + 0.5) / factor


def _window(
    pixels: np.ndarray,
    ids: np.ndarray,
    starts: tuple[float, float],
    factor: float,
    data: DataConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """The crop of an image and of its mask that begins at a place.

    Outside of the image, its edges continue without a label.
    """
    counts = (data.height, data.width)
    rows, columns = (
        np.floor(begin + (np.arange(count) + 0.5) / factor).astype(np.int64)
        for begin, count in zip(starts, counts, strict=True)
    )
    mask = prepare.picked_mask(ids, rows, columns)
    if factor == 1 or data.resampling == "nearest":
        return prepare.picked(pixels, rows, columns), mask
    weights = [
        resample.area_weights(size, count, begin, 1 / factor)
        for size, count, begin in zip(ids.shape, counts, starts, strict=True)
    ]
    return resample.weighted(pixels, weights[0], weights[1]), mask


def defect_pixels(ids: np.ndarray) -> Pixels:
    """The places of the defects in a mask `[H, W]`, at most `MOST_PIXELS` of each class."""
    flat = ids.reshape(-1)
    places = np.flatnonzero((flat != 0) & (flat != IGNORE)).astype(np.int32)
    labels = flat[places]
    of_class = [places[labels == label] for label in np.unique(labels)]
    return tuple(p[order.evenly_spaced(len(p), MOST_PIXELS)] for p in of_class)
