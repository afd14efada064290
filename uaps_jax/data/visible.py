"""What is left of every defect at the size at which the network sees it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from uaps_jax.config import DataConfig
from uaps_jax.data import prepare, threads
from uaps_jax.data.source import Dataset
from uaps_jax.data.survey import Survey
from uaps_jax.datasets.common import read_mask
from uaps_jax.labels import IGNORE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Defects:
    """All defects of a dataset: the connected regions of the masks, corners included.

    Attributes:
      image: row of its image in the survey, int `[D]`.
      label: its class, int `[D]`.
      area: its pixels in the mask, int `[D]`.
      box: height and width of its bounding box in the mask, int `[D, 2]`.
      ellipse: how far it is the ellipse of its moments, intersection over union, float `[D]`.
      left: its pixels at the network's size, int `[D]`; for crops, at `data.scale`, since every
        place of an image is in some crop.
    """

    image: np.ndarray
    label: np.ndarray
    area: np.ndarray
    box: np.ndarray
    ellipse: np.ndarray
    left: np.ndarray


def defects(dataset: Dataset, survey: Survey, data: DataConfig) -> Defects:
    """Reads every mask that has a defect."""
    chosen = np.flatnonzero(survey.has_mask & (survey.pixels[:, 1:-1].sum(1) > 0))
    found = list(_measured(dataset, survey, chosen, data))
    columns = [np.concatenate(column) for column in zip(*found, strict=True)] if found else []
    if not columns:
        none = np.zeros(0, int)
        return Defects(
            image=none,
            label=none,
            area=none,
            box=np.zeros((0, 2), int),
            ellipse=np.zeros(0),
            left=none,
        )
    label, area, box, ellipse, left = columns
    image = np.repeat(chosen, [len(rows[0]) for rows in found])
    return Defects(image=image, label=label, area=area, box=box, ellipse=ellipse, left=left)


def of_mask(
    ids: np.ndarray, data: DataConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Class, area, box, overlap with an ellipse, and pixels left of each defect in a mask.

    Args:
      ids: uint8 `[H, W]`.
      data: the settings of the network's input.
    """
    regions = np.zeros(ids.shape, np.int32)
    classes: list[int] = []
    for label in np.unique(ids[(ids != 0) & (ids != IGNORE)]).tolist():
        found, count = ndimage.label(ids == label, np.ones((3, 3), int))
        regions[found > 0] = found[found > 0] + len(classes)
        classes += [label] * count
    size = len(classes) + 1
    if data.fit == "crop":
        seen = prepare.scaled_mask(regions, data)
    else:
        seen = prepare.mask(regions, data, padding=0)
    places = ndimage.find_objects(regions)
    boxes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in places]
    overlaps = [
        ellipse_overlap(regions[place] == number) for number, place in enumerate(places, start=1)
    ]
    return (
        np.array(classes),
        np.bincount(regions.ravel(), minlength=size)[1:],
        np.array(boxes),
        np.array(overlaps),
        np.bincount(seen.ravel(), minlength=size)[1:],
    )


def ellipse_overlap(pixels: np.ndarray) -> float:
    """Intersection over union of a region and the ellipse of its centre and second moments.

    Args:
      pixels: bool `[h, w]`, true somewhere.
    """
    padded = np.pad(pixels, [(1 + length // 8, 1 + length // 8) for length in pixels.shape])
    places = np.argwhere(padded)
    offset = np.moveaxis(np.indices(padded.shape), 0, -1) - places.mean(0)
    # A pixel is a square, whose variance is 1/12, not a point.
    covariance = np.cov(places.T, bias=True) + np.eye(2) / 12
    distance = np.einsum("hwa,ab,hwb->hw", offset, np.linalg.inv(covariance), offset)
    ellipse = distance <= 4
    return float((padded & ellipse).sum() / (padded | ellipse).sum())


def chance_of_a_defect(
    found: Defects, sizes: np.ndarray, images: np.ndarray, crop: tuple[int, int], scale: float
) -> float:
    """The share of uniformly placed crops that touch a defect, about; 0 to 1.

    Of one defect it is the share of the places whose crop overlaps its box; of several the sum, at
    most 1, as if they did not share crops.

    Args:
      found: the defects of the dataset.
      sizes: height and width of its images, int `[N, 2]`.
      images: rows of the images that crops are drawn of.
      crop: height and width of the crops.
      scale: of the images.
    """
    places = np.ones(len(found.image))
    for axis in range(2):
        whole = np.maximum(sizes[found.image, axis] * scale - crop[axis] + 1, 1)
        touching = found.box[:, axis] * scale + crop[axis] - 1
        places *= np.minimum(touching / whole, 1)
    of_image = np.bincount(found.image, weights=places, minlength=len(sizes))[images]
    return float(np.minimum(of_image, 1).mean()) if len(images) else math.nan


def _measured(
    dataset: Dataset, survey: Survey, chosen: np.ndarray, data: DataConfig
) -> Iterator[tuple[np.ndarray, ...]]:
    def measure(row: int) -> tuple[np.ndarray, ...]:
        part, index = dataset.position[survey.names[row]]
        return of_mask(read_mask(dataset.records[part][index]["mask"]), data)

    return threads.mapped(measure, chosen.tolist())
