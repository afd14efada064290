"""Choosing a batch of images from their scores, and from their features as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from uaps_jax.acquisition import coverage, diversity


def highest(scores: np.ndarray, count: int, chosen: Sequence[int] = ()) -> list[int]:
    """The images of the highest scores; of equal ones the first.

    Args:
      scores: `[N]`.
      count: of the images.
      chosen: that are annotated already.
    """
    diversity.check_choice("scores", scores, count, chosen)
    return _first(np.argsort(-np.asarray(scores, np.float64), kind="stable"), count, chosen)


def stochastic(
    scores: np.ndarray,
    count: int,
    random: np.random.Generator,
    chosen: Sequence[int] = (),
    power: float = 1.0,
) -> list[int]:
    """Images drawn without replacement in proportion to score^power (Kirsch et al. 2023).

    The highest of power log s + Gumbel(0, 1). A batch of the highest scores repeats one difficulty;
    draws spread it at no cost. Images of score 0 come last whatever the power, in random order.

    Args:
      scores: `[N]`, not negative.
      count: of the images.
      random: of this draw.
      chosen: that are annotated already.
      power: 0 draws uniformly among the scores above 0, infinity is `highest`.

    Raises:
      ValueError: a negative score, a negative power or one that is not a number.
    """
    diversity.check_choice("scores", scores, count, chosen)
    wide = np.asarray(scores, np.float64)
    if (wide < 0).any():
        raise ValueError("scores must not be negative")
    if not power >= 0:
        raise ValueError(f"power = {power}: must be a number from 0 on, or infinity")
    if np.isinf(power):
        return highest(wide, count, chosen)
    is_zero = wide == 0
    keys = power * np.log(np.where(is_zero, 1, wide)) + random.gumbel(size=len(wide))
    return _first(np.lexsort((-keys, is_zero)), count, chosen)


def hybrid(
    scores: np.ndarray, features: np.ndarray, count: int, chosen: Sequence[int] = ()
) -> list[int]:
    """The default: images to which many uncertain images are similar.

    `coverage.facility_location` with the scores as weights: each time the image that most reduces
    the distances of the uncertain images to their nearest chosen or annotated image.

    The reason: the highest scores are often copies of one scene, of which one would be enough, or
    outliers, which are similar to no other image.

    Args:
      scores: `[N]`, not negative.
      features: `[N, D]`.
      count: of the images.
      chosen: that are annotated already.
    """
    diversity.check_choice("scores", scores, count, chosen)
    return coverage.facility_location(features, count, chosen, scores)


def uniform(
    total: int, count: int, random: np.random.Generator, chosen: Sequence[int] = ()
) -> list[int]:
    """Random images, of `total`: what every other choice is compared with."""
    return stochastic(np.ones(total), count, random, chosen)


def class_aware(
    classes: Sequence[Collection[int]],
    count: int,
    random: np.random.Generator,
    chosen: Sequence[int] = (),
) -> list[int]:
    """Random images, each of the class that the fewest chosen ones have, of those left.

    A baseline that sees what a choice may not: the defect classes in the truth of each image. In
    practice a person knows them from a glance. Images without a defect come when no others are
    left.

    Args:
      classes: the defect classes of each image.
      count: of the images.
      random: of this draw.
      chosen: that are annotated already.
    """
    diversity.check_choice("classes", np.zeros(len(classes)), count, chosen)
    left = set(range(len(classes))) - set(chosen)
    seen = Counter(c for index in chosen for c in classes[index])
    picked: list[int] = []
    for _ in range(count):
        present = {c for index in left for c in classes[index]}
        rarest = min(present, key=lambda c: (seen[c], c), default=None)
        eligible = sorted(i for i in left if rarest is None or rarest in classes[i])
        index = int(random.choice(eligible))
        picked.append(index)
        left.remove(index)
        seen.update(classes[index])
    return picked


def _first(order: np.ndarray, count: int, chosen: Sequence[int]) -> list[int]:
    """The first images of an order, without those that are annotated."""
    taken = set(chosen)
    return [int(index) for index in order if index not in taken][:count]
