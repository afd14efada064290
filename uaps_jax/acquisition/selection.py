"""Choosing a batch of images from their scores, and from their features as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.acquisition import diversity

SHORTLIST = 4
"""Images of the shortlist of `hybrid`, for each that is chosen."""


def highest(scores: np.ndarray, count: int, chosen: Sequence[int] = ()) -> list[int]:
    """The images of the highest scores; of equal ones the first.

    Args:
      scores: `[N]`.
      count: of the images.
      chosen: that are annotated already.
    """
    diversity.check_choice("scores", scores, count, chosen)
    taken = set(chosen)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return [int(index) for index in order if index not in taken][:count]


def stochastic(
    scores: np.ndarray,
    count: int,
    random: np.random.Generator,
    chosen: Sequence[int] = (),
    power: float = 1.0,
) -> list[int]:
    """Images drawn without replacement in proportion to score^power (Kirsch et al. 2023).

    The highest of power log s + Gumbel(0, 1). A batch of the highest scores repeats one difficulty;
    draws spread it at no cost. Images of score 0 come last, in random order.

    Args:
      scores: `[N]`, not negative.
      count: of the images.
      random: of this draw.
      chosen: that are annotated already.
      power: 0 draws uniformly, infinity takes the highest.
    """
    diversity.check_choice("scores", scores, count, chosen)
    wide = np.asarray(scores, np.float64)
    if (wide < 0).any():
        raise ValueError("scores must not be negative")
    smallest = np.finfo(np.float64).tiny
    noise = random.gumbel(size=len(wide))
    return highest(power * np.log(np.maximum(wide, smallest)) + noise, count, chosen)


def hybrid(
    scores: np.ndarray,
    features: np.ndarray,
    count: int,
    random: np.random.Generator,
    chosen: Sequence[int] = (),
) -> list[int]:
    """The default: a shortlist of uncertain images, and of these the ones that differ most.

    `stochastic` draws 4 images for each that is wanted, or all that are left; `diversity.k_center`
    chooses among them, from the annotated ones on. The order is that of the choice.

    The reason: the images of the highest scores are often copies of one scene, of which one would
    be enough, and k-center alone chooses outliers, whether the network knows them or not. The
    shortlist leaves out what the network knows, k-center what is shown already. It is for rounds
    with a trained network; the first round is `diversity.typiclust`'s, because uncertainty of a
    network without training, or with a handful of images, was worse than random choice in several
    studies.

    Args:
      scores: `[N]`, not negative.
      features: `[N, D]`.
      count: of the images.
      random: of this draw.
      chosen: that are annotated already.
    """
    diversity.check_choice("scores", scores, count, chosen)
    left = len(scores) - len(set(chosen))
    shortlist = stochastic(scores, min(SHORTLIST * count, left), random, chosen)
    places = [*chosen, *shortlist]
    picked = diversity.k_center(features[places], count, range(len(chosen)))
    return [places[place] for place in picked]


def uniform(
    total: int, count: int, random: np.random.Generator, chosen: Sequence[int] = ()
) -> list[int]:
    """Random images, of `total`: what every other choice is compared with."""
    return stochastic(np.ones(total), count, random, chosen)
