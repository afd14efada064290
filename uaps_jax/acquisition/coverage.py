"""Choosing images that stand for the others, by their features `[N, D]`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.acquisition import diversity

BLOCK = 256
"""Images whose gains are computed at once."""


def facility_location(
    features: np.ndarray,
    count: int,
    chosen: Sequence[int] = (),
    weights: np.ndarray | None = None,
) -> list[int]:
    """Each time the image that most reduces the distances of all to their nearest chosen image.

    Greedy maximization of sum_i w_i max(0, n_i - d(i, j)) over the images j, with n_i the distance
    of image i to the nearest chosen one: the (weighted) facility location, or k-medoids. Without a
    chosen image, the first is the one with the smallest weighted sum of distances to all. Gains
    only shrink while images are chosen, so that those of the best images alone are computed anew
    each time (lazy greedy, Minoux 1978). Wei, Iyer and Bilmes (2015) choose so for active learning.

    Args:
      features: `[N, D]`; distances are Euclidean.
      count: of the images.
      chosen: that are annotated already.
      weights: how much each image counts, `[N]`, not negative; None or zeros: all alike.

    Returns:
      The indices of `count` different images, none of them in `chosen`, in the order of their
      choice; of equal gains the first.

    Raises:
      ValueError: features or weights that are not finite, a negative weight, or fewer images left.
    """
    diversity.check_choice("features", features, count, chosen)
    if not count:
        return []
    wide = np.asarray(features, np.float64)
    wide = wide - wide.mean(0)
    of_images = _weights(weights, len(wide))
    nearest = _nearest(wide, chosen)
    gains = np.full(len(wide), np.inf)
    gains[list(chosen)] = -np.inf
    is_exact = np.zeros(len(wide), bool)
    picked: list[int] = []
    while len(picked) < count:
        index = int(gains.argmax())
        if not is_exact[index]:
            best = np.argsort(-gains, kind="stable")
            stale = best[~is_exact[best]][:BLOCK]
            gains[stale] = np.where(
                gains[stale] > -np.inf, _gains(wide, nearest, of_images, stale), -np.inf
            )
            is_exact[stale] = True
            continue
        picked.append(index)
        nearest = np.minimum(nearest, _distances(wide, np.array([index]))[:, 0])
        gains[index] = -np.inf
        is_exact[:] = False
    return picked


def _weights(weights: np.ndarray | None, count: int) -> np.ndarray:
    """Weights with the maximum 1."""
    if weights is None:
        return np.ones(count)
    wide = np.asarray(weights, np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("the weights of some images are not finite")
    if (wide < 0).any():
        raise ValueError("weights must not be negative")
    return wide / wide.max() if wide.any() else np.ones(count)


def _nearest(features: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    """Of every image to the nearest chosen one; without one, no less than any distance.

    Features have the mean 0.
    """
    if len(chosen):
        return diversity.to_nearest(features, chosen)
    return np.full(len(features), 2 * np.linalg.norm(features, axis=1).max(initial=0))


def _gains(
    features: np.ndarray, nearest: np.ndarray, weights: np.ndarray, candidates: np.ndarray
) -> np.ndarray:
    """By how much each of the candidates would bring all images nearer, `[len(candidates)]`."""
    nearer = nearest[:, None] - _distances(features, candidates)
    gains: np.ndarray = weights @ np.maximum(nearer, 0)
    return gains


def _distances(features: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Of all images to each of the candidates, `[N, len(candidates)]`, by a product of matrices."""
    squares = np.square(features).sum(1)
    both = features @ features[candidates].T
    squared = squares[:, None] + squares[candidates] - 2 * both
    squared[candidates, np.arange(len(candidates))] = 0
    found: np.ndarray = np.sqrt(np.maximum(squared, 0))
    return found
