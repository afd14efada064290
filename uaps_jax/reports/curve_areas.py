"""The areas under the curves of rounds of annotation, and their paired differences."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from uaps_jax.evaluation import learning_curve
from uaps_jax.reports.tables import Run, half_width

Points = Mapping[int, tuple[float, float]]
"""Round -> labels and score."""


class Difference(NamedTuple):
    """The mean of paired differences.

    Attributes:
      pairs: how many.
      mean: of them.
      half: half the width of the 95 % interval by Student's t; None below two pairs.
    """

    pairs: int
    mean: float
    half: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Area:
    """The areas under the curves of a strategy (`learning_curve.area`).

    Attributes:
      entry: the strategy.
      values: of its runs.
      differences: baseline -> this strategy minus the baseline, paired by draw and seed, each pair
        over the labels that both runs have.
    """

    entry: str
    values: tuple[float, ...]
    differences: Mapping[str, Difference]


def ascending(points: Points) -> Points:
    """Without the rounds that added no labels, because no candidate was left."""
    found: dict[int, tuple[float, float]] = {}
    most = 0.0
    for number, point in points.items():
        if point[0] > most:
            found[number], most = point, point[0]
    return found


def areas(runs: Mapping[str, Mapping[Run, Points]], baselines: Sequence[str]) -> list[Area]:
    """The area of each run that has the last round of all, and paired differences.

    Args:
      runs: strategy -> run -> its points.
      baselines: strategies that the others are compared with.
    """
    last = max((n for of in runs.values() for points in of.values() for n in points), default=0)
    curves = {
        entry: {
            run: growing
            for run, points in of_entry.items()
            if len(points) == last + 1 and len(growing := ascending(points)) > 1
        }
        for entry, of_entry in runs.items()
    }
    return [
        Area(
            entry=entry,
            values=tuple(_area(points, *_range(points)) for points in own.values()),
            differences={
                name: difference
                for name in baselines
                if name != entry and (difference := _difference(own, curves.get(name, {})))
            },
        )
        for entry, own in curves.items()
        if own
    ]


def _range(points: Points) -> tuple[float, float]:
    labels = [x for x, _ in points.values()]
    return labels[0], labels[-1]


def _area(points: Points, low: float, high: float) -> float:
    counts, scores = zip(*points.values(), strict=True)
    return learning_curve.area(*learning_curve.between(counts, scores, low, high))


def _difference(own: Mapping[Run, Points], others: Mapping[Run, Points]) -> Difference | None:
    """Of each pair over the labels that both have: equal hours pay unequal numbers of images."""
    differences = []
    for run in own:
        if run in others:
            ends = _range(own[run]), _range(others[run])
            low, high = max(e[0] for e in ends), min(e[1] for e in ends)
            if low < high:
                pair = (_area(points[run], low, high) for points in (own, others))
                differences.append(next(pair) - next(pair))
    if not differences:
        return None
    half = half_width(differences) if len(differences) > 1 else None
    return Difference(len(differences), statistics.fmean(differences), half)
