"""Choosing images that differ, by their features `[N, D]`; distances are Euclidean.

Every function returns the indices of `count` different images, in the order of their choice, none
of them in `chosen`, the images that are annotated already. Features of unit length make distances
those of cosines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster import vq
from scipy.spatial import KDTree, distance

NEIGHBOURS = 20
SMALLEST = 5
MOST_CLUSTERS = 500
"""TypiClust's neighbours of the typicality, images of the smallest cluster in use, and clusters."""

STILL = 1e-6
"""k-means ends when the mean distance to the centre changes by less than this share of the first
one."""


def k_center(features: np.ndarray, count: int, chosen: Sequence[int] = ()) -> list[int]:
    """Each time the image whose nearest chosen one is farthest (Sener and Savarese 2018).

    Without a chosen image it starts with the one nearest to the mean.
    """
    check_choice("features", features, count, chosen)
    picked: list[int] = []
    nearest = to_nearest(features, chosen)
    for _ in range(count):
        if not chosen and not picked:
            index = int(distance.cdist(features, features.mean(0)[None])[:, 0].argmin())
        else:
            index = int(_without(nearest, [*chosen, *picked]).argmax())
        picked.append(index)
        nearest = np.minimum(nearest, distance.cdist(features, features[index][None])[:, 0])
    return picked


def k_means_plus_plus(
    features: np.ndarray, count: int, random: np.random.Generator, chosen: Sequence[int] = ()
) -> list[int]:
    """Each time an image drawn by the squared distance to the nearest chosen one (D^2 sampling).

    The first is uniform without a chosen image. Images equal to chosen ones are drawn, uniformly,
    when there are no others.
    """
    check_choice("features", features, count, chosen)
    picked: list[int] = []
    nearest = to_nearest(features, chosen)
    for _ in range(count):
        free = np.setdiff1d(np.arange(len(features)), [*chosen, *picked])
        weight = np.square(nearest[free]) if chosen or picked else np.ones(len(free))
        total = weight.sum()
        index = int(random.choice(free, p=weight / total if total > 0 else None))
        picked.append(index)
        nearest = np.minimum(nearest, distance.cdist(features, features[index][None])[:, 0])
    return picked


def typicality(features: np.ndarray, neighbours: int) -> np.ndarray:
    """1 / the mean distance to the nearest other images: `[N]`; the largest float for copies.

    Args:
      features: `[N, D]`.
      neighbours: number of other images, or all if there are fewer.
    """
    count = min(neighbours, len(features) - 1)
    if count < 1:
        return np.ones(len(features))
    distances, _ = KDTree(features).query(features, count + 1)
    mean = distances[:, 1:].mean(1)
    return 1 / np.maximum(mean, np.finfo(np.float64).tiny)


def typiclust(
    features: np.ndarray, count: int, random: np.random.Generator, chosen: Sequence[int] = ()
) -> list[int]:
    """The most typical image of each of the largest clusters without a chosen image (Hacohen et al.
    2022), for the first annotations, when no network knows the defects.

    There are |chosen| + `count` k-means clusters, at most 500. Clusters of fewer than 5 images are
    used when there are no others; when every cluster has a chosen image, those with the fewest.
    """
    check_choice("features", features, count, chosen)
    if not count:
        return []
    wide = np.asarray(features, np.float64)
    clusters = cluster(wide, min(len(chosen) + count, MOST_CLUSTERS), random)
    sizes = np.bincount(clusters)
    taken, picked = list(chosen), list[int]()
    for _ in range(count):
        covered = np.bincount(clusters[taken], minlength=len(sizes))
        free = np.bincount(np.delete(clusters, taken), minlength=len(sizes))
        best = min(
            np.flatnonzero(free), key=lambda c: (covered[c], sizes[c] < SMALLEST, -sizes[c], c)
        )
        inside = np.flatnonzero(clusters == best)
        typical = typicality(wide[inside], NEIGHBOURS)
        index = int(inside[_without(typical, np.flatnonzero(np.isin(inside, taken))).argmax()])
        taken.append(index)
        picked.append(index)
    return picked


def cluster(features: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """The k-means cluster of every image, int `[N]`.

    There are fewer than `count` clusters where fewer images differ, and where a cluster loses its
    last image to others: its centre is dropped. The centres start as images drawn by
    `k_means_plus_plus`, once, and move until they are at rest: the start is spread already, and
    TypiClust needs groups of alike images, not the lowest inertia.
    """
    different = len(np.unique(features, axis=0))
    start = features[k_means_plus_plus(features, min(count, different), random)]
    first = vq.vq(features, start)[1].mean()
    centres, _ = vq.kmeans(features, start, thresh=STILL * first)
    labels: np.ndarray = vq.vq(features, centres)[0]
    return labels


def distances(features: np.ndarray, order: Sequence[int], chosen: Sequence[int] = ()) -> np.ndarray:
    """Of each image of an order to the nearest of `chosen` and of those before it, float `[N]`.

    Infinite for the first one where nothing is chosen.
    """
    nearest, found = to_nearest(features, chosen), []
    for index in order:
        found.append(nearest[index])
        nearest = np.minimum(nearest, distance.cdist(features, features[index][None])[:, 0])
    return np.array(found)


def check_choice(name: str, values: np.ndarray, count: int, chosen: Sequence[int]) -> None:
    """Checks that `count` images can be chosen by these values.

    Raises:
      ValueError: some values are not finite, or fewer images are left.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"the {name} of some images are not finite")
    free = len(values) - len(set(chosen))
    if not 0 <= count <= free:
        raise ValueError(f"{count} images are to be chosen, and {free} are not annotated")


def to_nearest(features: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    """The distance of every image to the nearest chosen one; infinite without one."""
    nearest = np.full(len(features), np.inf)
    for index in chosen:
        to_it = distance.cdist(features, features[index][None])[:, 0]
        nearest = np.minimum(nearest, to_it)
    return nearest


def _without(values: np.ndarray, excluded: Sequence[int] | np.ndarray) -> np.ndarray:
    """The values, with -inf for some of them."""
    left = np.array(values, np.float64)
    left[np.asarray(excluded, int)] = -np.inf
    return left
