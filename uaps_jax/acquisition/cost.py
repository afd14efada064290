"""How long a person annotates an image: a linear model of its objects and their boundaries."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from uaps_jax.labels import IGNORE

ROUNDING = 1e-9
"""Of minutes that add up to a budget."""

EIGHT = np.ones((3, 3), bool)
"""Neighbours of a pixel of one object, the diagonal ones too: cracks are thin."""


class Work(NamedTuple):
    """What there is to annotate in some images.

    Attributes:
      images: how many.
      objects: in them.
      boundary: pixels of the boundary of objects.
    """

    images: int
    objects: int
    boundary: int

    def plus(self, other: Work) -> Work:
        """Both together."""
        return Work(*(one + more for one, more in zip(self, other, strict=True)))

    @classmethod
    def of(cls, mask: np.ndarray) -> Work:
        """That of an image with this mask, class ids `[H, W]`, predicted or true."""
        return cls(1, *extent(mask))


NONE = Work(images=0, objects=0, boundary=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """Minutes of an image: per_image + per_object x objects + per_100_pixels x boundary / 100.

    Attributes:
      per_image: in minutes, to open, look and save.
      per_object: in minutes, for each connected piece of a class.
      per_100_pixels: in minutes, for 100 pixels of boundary, at the image's own size.
    """

    per_image: float
    per_object: float
    per_100_pixels: float

    def minutes(self, mask: np.ndarray) -> float:
        """Of an image with this mask, class ids `[H, W]`, predicted or true."""
        return self.of_work(Work.of(mask))

    def of_work(self, work: Work) -> float:
        """Of several images together."""
        pixels = self.per_100_pixels * work.boundary / 100
        return self.per_image * work.images + self.per_object * work.objects + pixels


DEFAULT = Cost(per_image=0.3, per_object=0.5, per_100_pixels=0.5)
"""Of a person who outlines every object anew; an order of magnitude."""


def extent(mask: np.ndarray) -> tuple[int, int]:
    """Objects and boundary pixels of class ids `[H, W]`; background and 255 have none.

    An object is a connected piece of one class, by eight neighbours. A boundary pixel is one of an
    object beside which, above, below, left or right, another value or the end of the image lies.
    """
    classes = np.unique(mask)
    objects = sum(int(ndimage.label(mask == c, EIGHT)[1]) for c in classes if c not in (0, IGNORE))
    framed = np.pad(mask.astype(np.int64), 1, constant_values=-1)
    middle = framed[1:-1, 1:-1]
    around = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    differs = np.any([side != middle for side in around], axis=0)
    return objects, int((differs & (mask != 0) & (mask != IGNORE)).sum())


def affordable(minutes: Sequence[float], budget: float) -> list[int]:
    """The indices of the images that fit into a budget, in their order; others are left out."""
    found, left = [], budget + ROUNDING
    for index, own in enumerate(minutes):
        if own <= left:
            found.append(index)
            left -= own
    return found
