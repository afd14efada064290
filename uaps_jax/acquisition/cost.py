"""How long a person takes to annotate an image, estimated from a mask.

    seconds = per image + per object * objects + per click * boundary / pixels of a click

A polygon is drawn with a click every few pixels of its boundary. The seconds are orders of
magnitude, for comparing images and for planning a day; a person's own are measured on a few images.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import ndimage

from uaps_jax.labels import IGNORE

_NEIGHBOURS = np.ones((3, 3), bool)  # pixels that touch at a corner are connected, too


@dataclasses.dataclass(frozen=True, kw_only=True)
class CostModel:
    """The times of a person who outlines objects.

    Attributes:
      image: seconds to look at an image and to go on to the next.
      object: seconds to find an object and to choose its class.
      click: seconds a click.
      spacing: pixels of boundary a click.
    """

    image: float
    object: float
    click: float
    spacing: float

    def minutes(self, mask: np.ndarray) -> float:
        """For the objects of a mask, class ids `[H, W]` with background 0."""
        clicks = boundary_length(mask) / self.spacing
        return (self.image + self.object * count_objects(mask) + self.click * clicks) / 60

    def words(self) -> str:
        """The model as a sentence."""
        return (
            f"{self.image:g} s an image, {self.object:g} s an object, {self.click:g} s for every "
            f"{self.spacing:g} px of boundary"
        )


DEFAULT = CostModel(image=10, object=4, click=1.5, spacing=10)


def count_objects(mask: np.ndarray) -> int:
    """Connected regions of the classes above 0 in a mask `[H, W]`; 255 is none of them."""
    labels = [label for label in np.unique(mask) if label not in (0, IGNORE)]
    return sum(int(ndimage.label(mask == label, _NEIGHBOURS)[1]) for label in labels)


def boundary_length(mask: np.ndarray) -> float:
    """The length of the boundaries between classes of a mask `[H, W]`, in pixels.

    pi/4 times the number of sides that pixels of different classes share: the expected length of
    curves of any direction (Cauchy-Crofton). The border of the image is no boundary.
    """
    sides = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return math.pi / 4 * sides
