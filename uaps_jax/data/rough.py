"""Rough annotations, made of exact masks: what an annotator in a hurry would have drawn.

Masks are uint8 class ids `[H, W]`; pixels of label 255 keep it. Where enlarged objects overlap, the
smaller one is in front. An object is a connected region of one class.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage, sparse

from uaps_jax.config import RoughConfig
from uaps_jax.data.crops import Crops
from uaps_jax.data.source import Files, Images, Pool
from uaps_jax.labels import IGNORE

NEIGHBOURS = np.ones((3, 3), bool)


class Region(NamedTuple):
    """A connected region of one class.

    Attributes:
      label: its class id.
      pixels: bool `[H, W]`.
    """

    label: int
    pixels: np.ndarray


def rough_images(images: Images, settings: RoughConfig) -> Images:
    """Images with rough masks in place of their own; of images on disk they stay in memory."""
    if settings.kind == "none":
        return images
    assert not isinstance(images, Crops)
    if isinstance(images, Pool):
        pairs = zip(images.names, images.masks, strict=True)
        masks = np.stack([rough_mask(mask, name, settings) for name, mask in pairs])
        return dataclasses.replace(images, masks=masks)
    load = images.load
    held: dict[str, np.ndarray] = {}  # a stroke takes longer than a step may

    def load_rough(name: str) -> dict[str, np.ndarray]:
        fields = load(name)
        if name not in held:
            held[name] = rough_mask(fields["mask"], name, settings)
        return fields | {"mask": held[name]}

    return Files(names=images.names, load=load_rough)


def rough_mask(mask: np.ndarray, name: str, settings: RoughConfig) -> np.ndarray:
    """The rough mask of an image, a function of its mask, its name and the seed.

    Args:
      mask: its exact mask.
      name: of the image.
      settings: of a kind other than "none".
    """
    random = np.random.default_rng((settings.seed, zlib.crc32(name.encode())))
    kinds: dict[str, Callable[[], np.ndarray]] = {
        "ellipse": lambda: ellipses(mask, random, settings.scale),
        "box": lambda: boxes(mask),
        "dilation": lambda: dilated(mask, settings.radius),
        "erosion": lambda: eroded(mask, settings.radius),
        "dropped": lambda: dropped(mask, random, settings.drop),
        "scribble": lambda: scribbles(mask, random, settings.radius),
    }
    return kinds[settings.kind]()


def image_labels(mask: np.ndarray) -> tuple[int, ...]:
    """The classes in a mask, without the background, in ascending order."""
    return tuple(int(label) for label in np.unique(mask) if label not in (0, IGNORE))


def ellipses(
    mask: np.ndarray, random: np.random.Generator, scale: tuple[float, float]
) -> np.ndarray:
    """Each object as the ellipse with its centre and its second moments, enlarged.

    The semi-axes of an even ellipse are twice the standard deviations of its pixels' positions.

    Args:
      mask: the exact mask.
      random: draws the factor of the axes of each object, evenly in `scale`.
      scale: lowest and highest factor.
    """
    places = np.moveaxis(np.indices(mask.shape, dtype=np.float64), 0, -1)

    def ellipse(region: Region) -> np.ndarray:
        own = places[region.pixels]
        centre = own.mean(0)
        # A pixel is a square, whose variance is 1/12, not a point.
        covariance = (own - centre).T @ (own - centre) / len(own) + np.eye(2) / 12
        offset = places - centre
        distance = np.einsum("hwa,ab,hwb->hw", offset, np.linalg.inv(covariance), offset)
        return distance <= (2 * random.uniform(*scale)) ** 2

    return _redrawn(mask, ellipse)


def boxes(mask: np.ndarray) -> np.ndarray:
    """Each object as its upright bounding box."""

    def box(region: Region) -> np.ndarray:
        filled = np.zeros(mask.shape, bool)
        filled[ndimage.find_objects(region.pixels.astype(np.uint8))[0]] = True
        return filled

    return _redrawn(mask, box)


def dilated(mask: np.ndarray, radius: int) -> np.ndarray:
    """Objects grown by `radius` pixels over the background; the nearest one gets a pixel."""
    is_object = (mask != 0) & (mask != IGNORE)
    if not is_object.any():
        return mask.copy()
    distance, (rows, columns) = ndimage.distance_transform_edt(~is_object, return_indices=True)
    return np.where((mask == 0) & (distance <= radius), mask[rows, columns], mask)


def eroded(mask: np.ndarray, radius: int) -> np.ndarray:
    """Objects without their outermost `radius` pixels; their innermost pixels stay in any case."""

    def core(region: Region) -> np.ndarray:
        if region.pixels.all():
            return region.pixels
        depth = ndimage.distance_transform_edt(region.pixels)
        return depth > min(radius, np.nextafter(depth.max(), 0))

    return _redrawn(mask, core)


def dropped(mask: np.ndarray, random: np.random.Generator, probability: float) -> np.ndarray:
    """Each object left out with a probability: it becomes background."""
    empty = np.zeros(mask.shape, bool)

    def kept(region: Region) -> np.ndarray:
        return empty if random.uniform() < probability else region.pixels

    return _redrawn(mask, kept)


def scribbles(mask: np.ndarray, random: np.random.Generator, radius: int) -> np.ndarray:
    """One stroke in each object and in the largest region of the background, 255 elsewhere.

    A stroke runs between two ends of its region, away from the edges.

    Args:
      mask: the exact mask.
      random: draws the places from which ends are looked for.
      radius: a stroke is 2 `radius` + 1 pixels wide, but stays in its region.
    """
    background = max(_regions(mask == 0, 0), key=_area, default=None)
    regions = [*_objects(mask), *([background] if background else [])]
    result = np.full(mask.shape, IGNORE, np.uint8)
    for region in regions:
        distance = ndimage.distance_transform_edt(~_stroke(region.pixels, random))
        result[region.pixels & (distance <= radius)] = region.label
    return result


def _redrawn(mask: np.ndarray, shape: Callable[[Region], np.ndarray]) -> np.ndarray:
    """The mask with each object as another shape, bool `[H, W]`, the smallest in front."""
    result = np.zeros_like(mask)
    for region in sorted(_objects(mask), key=_area, reverse=True):
        result[shape(region)] = region.label
    return np.where(mask == IGNORE, mask, result)


def _objects(mask: np.ndarray) -> Iterator[Region]:
    """The objects of a mask, class by class."""
    for label in image_labels(mask):
        yield from _regions(mask == label, label)


def _regions(pixels: np.ndarray, label: int) -> Iterator[Region]:
    numbered, count = ndimage.label(pixels, NEIGHBOURS)
    for number in range(1, count + 1):
        yield Region(label, numbered == number)


def _area(region: Region) -> int:
    return int(region.pixels.sum())


def _stroke(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A path of a connected region between two ends, bool `[H, W]`, along its middle."""
    lengths, costs = _graphs(pixels)
    start = int(random.integers(lengths.shape[0]))
    end = int(sparse.csgraph.dijkstra(lengths, indices=start).argmax())
    other = int(sparse.csgraph.dijkstra(lengths, indices=end).argmax())
    _, before = sparse.csgraph.dijkstra(costs, indices=end, return_predecessors=True)
    path = np.zeros(lengths.shape[0], bool)
    path[other] = True
    while other != end:
        other = int(before[other])
        path[other] = True
    stroke = np.zeros(pixels.shape, bool)
    stroke[pixels] = path
    return stroke


def _graphs(pixels: np.ndarray) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Neighbouring pixels of a region: the length of a step, and it by the distance to the edge."""
    number = np.full(pixels.shape, -1)
    number[pixels] = np.arange(pixels.sum())
    padded = np.pad(pixels, 1)  # the border of the image is an edge, too
    depth = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    height, width = pixels.shape
    steps: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    for y, x in ((0, 1), (1, 0), (1, 1), (1, -1)):
        first = np.s_[: height - y, max(0, -x) : width - max(0, x)]
        second = np.s_[y:, max(0, x) : width + min(0, x)]
        both = pixels[first] & pixels[second]
        length = np.full(both.sum(), np.hypot(y, x))
        cost = 2 * length / (depth[first] + depth[second])[both]
        steps.append((number[first][both], number[second][both], length, cost))
    a, b, lengths, costs = (np.concatenate(parts) for parts in zip(*steps, strict=True))
    places = (np.concatenate([a, b]), np.concatenate([b, a]))
    shape = (int(pixels.sum()),) * 2
    with_lengths, with_costs = (
        sparse.csr_array((np.concatenate([values, values]), places), shape=shape)
        for values in (lengths, costs)
    )
    return with_lengths, with_costs
