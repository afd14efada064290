"""How long a person annotates an image: a linear model of its objects and their boundaries."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from uaps_jax.labels import IGNORE

EIGHT = np.ones((3, 3), bool)
"""Neighbours of a pixel of one object, the diagonal ones too: cracks are thin."""


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
        objects, boundary = extent(mask)
        return self.per_image + self.per_object * objects + self.per_100_pixels * boundary / 100


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


def affordable(minutes: np.ndarray, budget: float) -> int:
    """How many of the first images fit into a budget, each with its minutes, `[N]`."""
    return int((np.cumsum(minutes) <= budget + 1e-9).sum())
