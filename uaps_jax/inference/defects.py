"""The defects of a mask: its connected regions, with their sizes and places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage, spatial

from uaps_jax.labels import IGNORE

MOST = 1000
"""So many regions of a mask are measured, the largest ones: each takes half a millisecond."""

_NEIGHBOURS = np.ones((3, 3), bool)  # pixels that touch at a corner are connected, too


class Box(NamedTuple):
    """The smallest upright box around a region, in pixels."""

    left: int
    top: int
    width: int
    height: int


class Defect(NamedTuple):
    """A connected region of pixels of one class.

    Attributes:
      label: class id.
      area: number of its pixels.
      box: around it.
      centroid: x and y of its centre of mass; the centre of the image's first pixel is (0, 0).
      largest_width: diameter of the largest circle that fits into it, in pixels.
      length: largest distance of two of its points, in pixels.
    """

    label: int
    area: int
    box: Box
    centroid: tuple[float, float]
    largest_width: float
    length: float


class Found(NamedTuple):
    """The defects of a mask.

    Attributes:
      defects: at most `MOST`, the largest first.
      left_out: number of the others.
    """

    defects: list[Defect]
    left_out: int


def find(mask: np.ndarray, minimum_area: int) -> Found:
    """The defects of at least `minimum_area` pixels.

    Args:
      mask: class ids, uint8 `[H, W]`; 0 and 255 are no defect.
      minimum_area: in pixels.
    """
    labels = [int(label) for label in np.unique(mask) if label not in (0, IGNORE)]
    of_classes = [_of_class(mask, label, minimum_area) for label in labels]
    found = [defect for defects, _ in of_classes for defect in defects]
    left_out = sum(left for _, left in of_classes) + max(len(found) - MOST, 0)
    return Found(sorted(found, key=lambda defect: -defect.area)[:MOST], left_out)


def described(
    defect: Defect, class_names: Sequence[str], mm_per_pixel: float | None
) -> dict[str, str | int | float]:
    """A defect as the columns of a table, with rounded numbers.

    Args:
      defect: the defect.
      class_names: background first.
      mm_per_pixel: side of a pixel in mm; None if it is unknown, for no columns in mm.
    """
    entries: dict[str, str | int | float] = {
        "class": class_names[defect.label],
        "area_px": defect.area,
        "left_px": defect.box.left,
        "top_px": defect.box.top,
        "width_px": defect.box.width,
        "height_px": defect.box.height,
        "centroid_x_px": round(defect.centroid[0], 1),
        "centroid_y_px": round(defect.centroid[1], 1),
        "largest_width_px": round(defect.largest_width, 1),
        "length_px": round(defect.length, 1),
    }
    if mm_per_pixel is not None:
        lengths = {"largest_width_mm": defect.largest_width, "length_mm": defect.length}
        entries["area_mm2"] = _rounded(defect.area * mm_per_pixel**2)
        entries |= {name: _rounded(value * mm_per_pixel) for name, value in lengths.items()}
    return entries


def _rounded(value: float) -> float:
    """With four digits."""
    return float(f"{value:.4g}")


def _of_class(mask: np.ndarray, label: int, minimum_area: int) -> Found:
    """The defects of a class, the largest first."""
    regions, _ = ndimage.label(mask == label, _NEIGHBOURS)
    areas = np.bincount(regions.reshape(-1))
    areas[0] = 0  # what is outside
    large = np.flatnonzero(areas >= max(minimum_area, 1))
    kept = large[np.argsort(-areas[large], kind="stable")][:MOST].tolist()
    places = ndimage.find_objects(regions)
    found = [_measured(regions, number, places[number - 1], label) for number in kept]
    return Found(found, len(large) - len(found))


def _measured(regions: np.ndarray, number: int, place: tuple[slice, slice], label: int) -> Defect:
    """The region of this number, which lies in this box."""
    rows, columns = place
    region = regions[place] == number
    y, x = np.nonzero(region)
    return Defect(
        label=label,
        area=len(y),
        box=Box(columns.start, rows.start, region.shape[1], region.shape[0]),
        centroid=(float(columns.start + x.mean()), float(rows.start + y.mean())),
        largest_width=largest_width(region),
        length=length(region),
    )


def largest_width(region: np.ndarray) -> float:
    """The diameter of the largest circle in a region, bool `[H, W]`, in pixels.

    Pixels are squares. Centres of circles are the centres, corners and middles of the sides of
    pixels, so that the width of an upright strip is exact whether it is odd or even.
    """
    height, width = region.shape
    inside = np.zeros((2 * height + 1, 2 * width + 1), bool)  # in half pixels
    inside[1::2, 1::2] = region
    inside[1::2, 2:-1:2] = region[:, 1:] & region[:, :-1]
    inside[2:-1:2] = inside[1:-2:2] & inside[3::2]
    # The radius in half pixels is the diameter in pixels.
    return float(ndimage.distance_transform_edt(inside).max())


def length(region: np.ndarray) -> float:
    """The largest distance of two points of a region, bool `[H, W]`, in pixels."""
    rows = np.flatnonzero(region.any(1))
    first = region[rows].argmax(1)
    last = region.shape[1] - region[rows, ::-1].argmax(1)
    ends = [np.stack([x, rows + y], 1) for x in (first, last) for y in (0, 1)]
    corners = np.concatenate(ends).astype(float)
    hull = corners[spatial.ConvexHull(corners).vertices]
    return float(spatial.distance.pdist(hull).max())
