"""Label equivalence: how many labels the baseline needs for the score of another entry.

A run of the baseline is one with its own draw of labels and seed, at several budgets. Its scores
over the number of labels are made monotone (isotonic regression) and interpolated linearly over the
logarithm of that number. The number at which they reach the score of another entry, divided by the
labels of that entry, is the equivalence of a run; runs are averaged as logarithms.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy import optimize

from uaps_jax.reports import plain_table
from uaps_jax.reports.tables import CONFIDENCE, LOWER_IS_BETTER, Row, Run, half_width, is_missing

Bound = Literal["", "at least", "at most", "bounded"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Equivalence:
    """The label equivalence of an entry at one budget.

    Attributes:
      entry: whose.
      labeled: its labeled images, the geometric mean over the runs.
      runs: number of runs that the baseline has, too.
      count: labeled images of the baseline with the same score: the geometric mean over the runs.
      interval: of the 95 % confidence interval of `count` by Student's t on logarithms; None below
        two runs and for a bound.
      bound: "at least" if the score of a run lies above the baseline's last budget, "at most" if
        one lies below the first; "bounded" if there are both.
    """

    entry: str
    labeled: float
    runs: int
    count: float
    interval: tuple[float, float] | None
    bound: Bound

    @property
    def factor(self) -> float:
        """`count` divided by `labeled`."""
        return self.count / self.labeled


def equivalences(
    rows: Sequence[Row], entries: Sequence[str], metric: str, baseline: str
) -> list[Equivalence]:
    """The equivalences of some entries, by entry and labeled images.

    Args:
      rows: of one dataset, one a training.
      entries: whose.
      metric: in percent.
      baseline: the entry with several budgets.

    Raises:
      ValueError: a lower value of the metric is better.
    """
    if metric in LOWER_IS_BETTER:
        raise ValueError(f"label equivalence needs a metric that grows, not {metric}")
    known = [row for row in rows if not is_missing(row[metric])]
    curves: dict[Run, dict[int, float]] = {}
    for row in known:
        if row["entry"] == baseline:
            run = row["split_seed"], row["seed"]
            curves.setdefault(run, {})[row["labeled"]] = row[metric]
    found = []
    for entry in entries:
        of_budget: dict[str, list[Row]] = {}
        for row in known:
            run = row["split_seed"], row["seed"]
            if row["entry"] == entry and len(curves.get(run, ())) > 1:
                of_budget.setdefault(row["budget"], []).append(row)
        found += [_equivalence(entry, here, metric, curves) for here in of_budget.values()]
    return sorted(found, key=lambda one: (entries.index(one.entry), one.labeled))


def _equivalence(
    entry: str, rows: Sequence[Row], metric: str, curves: Mapping[Run, Mapping[int, float]]
) -> Equivalence:
    """Of one entry at one budget."""
    reached = [inverse(curves[row["split_seed"], row["seed"]], row[metric]) for row in rows]
    logs = [math.log(count) for count, _ in reached]
    bounds = {bound for _, bound in reached if bound}
    mean, interval = statistics.fmean(logs), None
    if len(logs) > 1 and not bounds:
        half = half_width(logs)
        interval = math.exp(mean - half), math.exp(mean + half)
    return Equivalence(
        entry=entry,
        labeled=statistics.geometric_mean(row["labeled"] for row in rows),
        runs=len(logs),
        count=math.exp(mean),
        interval=interval,
        bound="bounded" if len(bounds) > 1 else next(iter(bounds), ""),
    )


def inverse(curve: Mapping[int, float], score: float) -> tuple[float, Bound]:
    """The number of labels at which a curve reaches a score, and whether that is a bound only.

    Args:
      curve: number of labels -> score, for at least two numbers.
      score: to reach.
    """
    numbers = sorted(curve)
    values = optimize.isotonic_regression([curve[number] for number in numbers]).x
    if score < values[0]:
        return numbers[0], "at most"
    if score > values[-1]:
        return numbers[-1], "at least"
    above = int(np.searchsorted(values, score))  # the first value that is not below the score
    if above == 0:
        return numbers[0], ""
    low, high = values[above - 1], values[above]
    part = (score - low) / (high - low)
    return math.exp((1 - part) * math.log(numbers[above - 1]) + part * math.log(numbers[above])), ""


def caption(baseline: str, metric: str) -> str:
    """Sentences that explain the table."""
    return (
        f"Labeled images that {baseline} needs for the same {metric}: per run, from its scores "
        "over the number of labels, made monotone and interpolated over its logarithm; mean "
        f"of the logarithms over the runs, with the {100 * CONFIDENCE:g} % confidence interval by "
        f'Student\'s t. "at least": a run is above the largest budget of {baseline}; "at most": '
        'one is below the smallest; "bounded": both. These have no interval.'
    )


HEAD = ("entry", "labeled images", "runs", "equivalent", "interval", "factor")


def cells(found: Equivalence) -> tuple[str, ...]:
    """The cells of a row below `HEAD`."""
    interval = "-" if found.interval is None else "{:.0f} to {:.0f}".format(*found.interval)
    count = f"{found.bound} {found.count:.0f}".strip()
    factor = f"{found.bound} {found.factor:.1f}".strip()
    return found.entry, f"{found.labeled:.0f}", str(found.runs), count, interval, factor


def markdown(title: str, rows: Sequence[Equivalence], baseline: str, metric: str) -> str:
    """The table as GitHub's Markdown; empty without a row."""
    return plain_table.markdown(title, HEAD, [*map(cells, rows)], caption(baseline, metric))


def html(title: str, rows: Sequence[Equivalence], baseline: str, metric: str) -> str:
    """The table as HTML elements; empty without a row."""
    return plain_table.html(title, HEAD, [*map(cells, rows)], caption(baseline, metric))
