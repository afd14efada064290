"""The lengths of the three trainings of PPL, from the ratio of labeled images.

The epochs grow with the ratio so that the last training has the same number of steps at every
ratio: E(r) = ceil(E(1/2) 0.5 / (1 - r)), which is how the published epochs of each list follow from
those at 1/2. An epoch is a pass over the labeled images in the first training, and over the
longer one of the two streams in the others; incomplete batches are left out.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

HALF = Fraction(1, 2)


class Length(NamedTuple):
    """The length of a training.

    Attributes:
      epochs: number of them.
      per_epoch: steps of one.
    """

    epochs: int
    per_epoch: int

    @property
    def steps(self) -> int:
        return self.epochs * self.per_epoch


class Lengths(NamedTuple):
    """The lengths of the trainings.

    Attributes:
      teacher: on the labeled images alone.
      first: on labeled and on the easy half of the unlabeled images.
      second: on all.
    """

    teacher: Length
    first: Length
    second: Length


def epochs(ratio: Fraction, at_half: int) -> int:
    """E(r).

    Args:
      ratio: r, of labeled images, such as 1/8: the name of a list, not its exact share.
      at_half: E(1/2).
    """
    return math.ceil(at_half * HALF / (1 - ratio))


def lengths(
    ratio: Fraction, *, at_half: int, labeled: int, unlabeled: int, batch: int = 8
) -> Lengths:
    """The lengths at a ratio.

    Args:
      ratio: of labeled images.
      at_half: epochs at 1/2.
      labeled: number of labeled images.
      unlabeled: number of unlabeled images.
      batch: images of a step; half of them are unlabeled in the second and the third training.
    """
    count = epochs(ratio, at_half)

    def student(used: int) -> Length:
        return Length(count, max(max(labeled, used) // (batch // 2), 1))

    return Lengths(
        teacher=Length(count, max(labeled // batch, 1)),
        first=student(unlabeled // 2),
        second=student(unlabeled),
    )
