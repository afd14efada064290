"""What rounds of annotation show: areas, label equivalence, fitted curves, and what comes next."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from uaps_jax.evaluation import learning_curve
from uaps_jax.evaluation.learning_curve import PARAMETERS, Fit
from uaps_jax.reports import curve_areas, equivalence, tables
from uaps_jax.reports.curve_areas import Area, Points
from uaps_jax.reports.equivalence import Equivalence
from uaps_jax.reports.study_figures import learning_curves as figure
from uaps_jax.reports.tables import Row, Run, Table, is_missing


class Question(NamedTuple):
    """What a report of rounds answers.

    Attributes:
      metric: in percent, higher is better.
      checkpoint: whose scores, "best" or "latest".
      baselines: strategies that the others are compared with, the first for label equivalence.
      in_minutes: whether the labels are counted in minutes of annotation, else in images.
      target: a score to reach, in percent; 0 for none.
      smallest_gain: in percent points; a round that adds less is not worth it.
      added: labels of one more round, in images or minutes.
    """

    metric: str
    checkpoint: str
    baselines: tuple[str, ...]
    in_minutes: bool
    target: float
    smallest_gain: float
    added: float

    @property
    def labels(self) -> str:
        """The key of the labels in a row."""
        return "minutes" if self.in_minutes else "labeled"

    @property
    def unit(self) -> str:
        return "minutes of annotation" if self.in_minutes else "labeled images"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """All numbers of a report.

    Attributes:
      tables: a table for each round.
      series: strategy -> mean labels of a round -> the scores of its runs, on test.
      areas: of the strategies with two rounds or more.
      equivalences: how many random labels give the same score.
      fits: `fits`.
    """

    tables: Sequence[Table]
    series: Mapping[str, Mapping[float, Sequence[float]]]
    areas: Sequence[Area]
    equivalences: Sequence[Equivalence]
    fits: Mapping[str, Fit]


def compare(rows: Sequence[Row], entries: Sequence[str], question: Question) -> Comparison:
    """The numbers of a report.

    Args:
      rows: one a training and a `part`, of one checkpoint, as `tables.tables` has them, with
        `round` and `minutes`. All numbers but the fits are those of the part "test".
      entries: the strategies, in their order.
      question: what is asked.

    Raises:
      ValueError: a row lacks the metric.
    """
    metric, baseline = question.metric, question.baselines[0] if question.baselines else ""
    of_test = [row for row in rows if row["part"] == "test"]
    # Rounds of equal minutes have unequal labels: their scores are not paired.
    made = tables.tables(of_test, entries, (metric,), "" if question.in_minutes else baseline)
    known = [row for row in of_test if not is_missing(row[metric])]
    others = [name for name in entries if name != baseline]
    found: list[Equivalence] = []
    if baseline and not question.in_minutes:
        found = equivalence.equivalences(known, others, metric, baseline)
    runs = {name: _runs(known, name, question) for name in entries}
    return Comparison(
        tables=made,
        series={name: _series(of_entry) for name, of_entry in runs.items() if of_entry},
        areas=curve_areas.areas(runs, question.baselines),
        equivalences=found,
        fits=fits(rows, entries, question),
    )


def fits(rows: Sequence[Row], entries: Sequence[str], question: Question) -> dict[str, Fit]:
    """Strategy -> the fitted curve of its validation scores, with four rounds or more.

    They foretell whether a further round is worth it, which scores on test may not decide.
    Arguments as `compare`.
    """
    known = [r for r in rows if r["part"] == "val" and not is_missing(r[question.metric])]
    found = {name: _fit(_runs(known, name, question)) for name in entries}
    return {name: fit for name, fit in found.items() if fit}


def _runs(rows: Sequence[Row], entry: str, question: Question) -> dict[Run, Points]:
    found: dict[Run, dict[int, tuple[float, float]]] = {}
    for row in rows:
        if row["entry"] == entry:
            points = found.setdefault((row["split_seed"], row["seed"]), {})
            points[row["round"]] = (float(row[question.labels]), float(row[question.metric]))
    return {run: dict(sorted(points.items())) for run, points in sorted(found.items())}


def _series(runs: Mapping[Run, Points]) -> dict[float, list[float]]:
    numbers = sorted({number for points in runs.values() for number in points})
    series: dict[float, list[float]] = {}
    for number in numbers:
        here = [points[number] for points in runs.values() if number in points]
        labels = statistics.fmean(x for x, _ in here)
        series.setdefault(labels, []).extend(y for _, y in here)
    return series


def _fit(runs: Mapping[Run, Points]) -> Fit | None:
    """The curve of the runs that have all rounds; None with too few of these."""
    rounds = max((len(points) for points in runs.values()), default=0)
    whole = [points for points in runs.values() if len(points) == rounds]
    if not rounds:
        return None
    counts = {n: statistics.fmean(points[n][0] for points in whole) for n in whole[0]}
    numbers = list(curve_areas.ascending({n: (x, 0.0) for n, x in counts.items()}))
    if len(numbers) <= PARAMETERS:
        return None
    return learning_curve.fit(
        [counts[n] for n in numbers], [[points[n][1] for n in numbers] for points in whole]
    )


def advice(fits: Mapping[str, Fit], question: Question) -> Iterator[str]:
    """Sentences on what more labels would bring, one or more for each fitted strategy."""
    unit, what = ("minutes", "annotation") if question.in_minutes else ("images", "labels")
    for entry, fit in fits.items():
        gain, (low, high) = fit.gain(fit.last, question.added)
        yield (
            f"{entry}: {question.added:g} {unit} more are foretold to add {gain:.1f} points of "
            f"{question.metric} on validation ({low:.1f} to {high:.1f})"
        )
        if high < question.smallest_gain:
            yield (
                f"{entry}: stop here; a further round adds less than {question.smallest_gain:g} "
                "points at best"
            )
        if question.target:
            yield f"{entry}: {_needed(fit, question, unit, what)}"


def _needed(fit: Fit, question: Question, unit: str, what: str) -> str:
    labels, interval = fit.labels_for(question.target)
    goal, last = f"{question.metric} {question.target:g}", fit.last
    if labels <= last:
        return f"the fitted curve has reached {goal}"
    if math.isinf(labels):
        return (
            f"{goal} is not reached however many {what} there are: the fitted curve ends at "
            f"{fit.curve.limit:.1f}; change the method, the network or its steps"
        )
    low, high = (max(end - last, 0) for end in interval)
    upper = "without end" if math.isinf(high) else f"{high:.0f}"
    return f"you need about {labels - last:.0f} more {unit} for {goal} ({low:.0f} to {upper})"


def draw(found: Comparison, question: Question, title: str, target: Path) -> None:
    """Draws the curves."""
    figure.draw(
        title,
        question.unit,
        f"{question.metric}, %",
        found.series,
        {entry: fit.curve for entry, fit in found.fits.items()},
        target,
    )
