"""What rounds of annotation show: areas, label equivalence, fitted curves, and what comes next."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from uaps_jax.evaluation import learning_curve
from uaps_jax.evaluation.learning_curve import PARAMETERS, Fit, Interval
from uaps_jax.reports import equivalence, html_page, study_page, table_texts, tables
from uaps_jax.reports.equivalence import Equivalence
from uaps_jax.reports.study_figures import learning_curves as figure
from uaps_jax.reports.tables import Row, Run, Table, half_width, is_missing


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
      differences: baseline -> this strategy minus the baseline, paired by draw and seed.
    """

    entry: str
    values: tuple[float, ...]
    differences: Mapping[str, Difference]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """All numbers of a report.

    Attributes:
      tables: a table for each round.
      series: strategy -> mean labels of a round -> the scores of its runs.
      areas: of the strategies with two rounds or more.
      equivalences: how many random labels give the same score.
      fits: strategy -> the fitted curve, with four rounds or more.
    """

    tables: Sequence[Table]
    series: Mapping[str, Mapping[float, Sequence[float]]]
    areas: Sequence[Area]
    equivalences: Sequence[Equivalence]
    fits: Mapping[str, Fit]


def compare(rows: Sequence[Row], entries: Sequence[str], question: Question) -> Comparison:
    """The numbers of a report.

    Args:
      rows: one a training, of one checkpoint, as `tables.tables` has them, with `round` and
        `minutes`.
      entries: the strategies, in their order.
      question: what is asked.

    Raises:
      ValueError: a row lacks the metric.
    """
    metric, baseline = question.metric, question.baselines[0] if question.baselines else ""
    made = tables.tables(rows, entries, (metric,), baseline)
    known = [row for row in rows if not is_missing(row[metric])]
    others = [name for name in entries if name != baseline]
    found: list[Equivalence] = []
    if baseline and not question.in_minutes:
        found = equivalence.equivalences(known, others, metric, baseline)
    runs = {name: _runs(known, name, question) for name in entries}
    return Comparison(
        tables=made,
        series={name: _series(of_entry) for name, of_entry in runs.items() if of_entry},
        areas=areas(runs, question.baselines),
        equivalences=found,
        fits={name: fit for name, of_entry in runs.items() if (fit := _fit(of_entry))},
    )


Points = Mapping[int, tuple[float, float]]
"""Round -> labels and score."""


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


def areas(runs: Mapping[str, Mapping[Run, Points]], baselines: Sequence[str]) -> list[Area]:
    """The area of each run that has the last round of all, and paired differences.

    Args:
      runs: strategy -> run -> its points.
      baselines: strategies that the others are compared with.
    """
    last = max((n for of in runs.values() for points in of.values() for n in points), default=0)
    values = {
        entry: {
            run: learning_curve.area(*zip(*points.values(), strict=True))
            for run, points in of_entry.items()
            if len(points) == last + 1 > 1
        }
        for entry, of_entry in runs.items()
    }
    return [
        Area(
            entry=entry,
            values=tuple(own.values()),
            differences={
                name: difference
                for name in baselines
                if name != entry and (difference := _difference(own, values.get(name, {})))
            },
        )
        for entry, own in values.items()
        if own
    ]


def _difference(own: Mapping[Run, float], others: Mapping[Run, float]) -> Difference | None:
    differences = [own[run] - others[run] for run in own if run in others]
    if not differences:
        return None
    half = half_width(differences) if len(differences) > 1 else None
    return Difference(len(differences), statistics.fmean(differences), half)


def _fit(runs: Mapping[Run, Points]) -> Fit | None:
    """The curve of the runs that have all rounds; None with too few of these."""
    rounds = max((len(points) for points in runs.values()), default=0)
    whole = [points for points in runs.values() if len(points) == rounds]
    if rounds <= PARAMETERS:
        return None
    counts = [statistics.fmean(points[n][0] for points in whole) for n in whole[0]]
    return learning_curve.fit(counts, [[y for _, y in points.values()] for points in whole])


def advice(found: Comparison, question: Question) -> Iterator[str]:
    """Sentences on what more labels would bring, one or more for each fitted strategy."""
    unit, what = ("minutes", "annotation") if question.in_minutes else ("images", "labels")
    for entry, fit in found.fits.items():
        gain, (low, high) = fit.gain(fit.last, question.added)
        yield (
            f"{entry}: {question.added:g} {unit} more are foretold to add {gain:.1f} points of "
            f"{question.metric} ({low:.1f} to {high:.1f})"
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


def page(
    title: str,
    found: Comparison,
    question: Question,
    figures: Sequence[str],
    failures: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """The report as an HTML page.

    Args:
      title: of the page.
      found: its numbers.
      question: what it answers.
      figures: files beside the page.
      failures: runs that are missing, a line each.
      notes: further paragraphs.
    """
    baseline = question.baselines[0] if question.baselines else ""
    parts = [_areas_html(found.areas, question), table_texts.html(found.tables)]
    if baseline:
        heading = "Label equivalence"
        parts.append(equivalence.html(heading, found.equivalences, baseline, question.metric))
    parts.append(_fits_html(found.fits, question))
    which = "the best checkpoint on val" if question.checkpoint == "best" else "the last step"
    own = [f"Test scores in percent, of {which}.", *notes, *advice(found, question)]
    captions = [("Scores over the labels", file) for file in figures]
    return study_page.render(title, "\n".join(filter(None, parts)), captions, failures, own)


def _areas_html(found: Sequence[Area], question: Question) -> str:
    if not found:
        return ""
    head = ("strategy", "runs", "area", *(f"minus {name}" for name in question.baselines))
    lines = []
    for one in found:
        spread = f" ± {statistics.stdev(one.values):.2f}" if len(one.values) > 1 else ""
        cells = [str(len(one.values)), f"{statistics.fmean(one.values):.2f}{spread}"]
        cells += [_shown(one.differences.get(name)) for name in question.baselines]
        lines.append((one.entry, *cells))
    caption = (
        f"Mean {question.metric} over the logarithm of the {question.unit}, in which each doubling "
        "counts the same: the area under the curve by its range. ±: standard deviation over the "
        "runs. Differences are paired by draw and seed, with the 95 % confidence interval of their "
        "mean by Student's t."
    )
    return _table("Area under the curve", head, lines, caption)


def _shown(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    if difference.half is None:
        return f"{difference.mean:+.2f} (1 pair)"
    low, high = difference.mean - difference.half, difference.mean + difference.half
    return f"{difference.mean:+.2f} ({low:+.2f} to {high:+.2f})"


def _fits_html(fits: Mapping[str, Fit], question: Question) -> str:
    if not fits:
        return ""
    head = ("strategy", "m_inf", "b", "c", "foretold gain of a further round")
    if question.target:
        head = (*head, f"{question.unit} for {question.target:g}")
    lines = []
    for entry, fit in fits.items():
        curve = fit.curve
        ends = learning_curve.interval([draw.limit for draw in fit.draws])
        cells = [f"{curve.limit:.1f} {_range(ends, 1)}", f"{curve.scale:.1f}"]
        cells.append(f"{curve.exponent:.2f}")
        gain, interval = fit.gain(fit.last, question.added)
        cells.append(f"{gain:.2f} {_range(interval, 2)}")
        if question.target:
            labels, interval = fit.labels_for(question.target)
            cells.append(f"{_number(labels)} {_range(interval, 0)}")
        lines.append((entry, *cells))
    caption = (
        "m(n) = m_inf - b n^-c through the means of the runs, by least squares; in parentheses the "
        "middle 95 % of a bootstrap over the runs, or, of one run, over the residuals. A curve is "
        "a guess about labels beyond those that were tried."
    )
    return _table("Fitted curves", head, lines, caption)


def _number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.0f}"


def _range(interval: Interval, digits: int) -> str:
    low, high = ("never" if math.isinf(end) else f"{end:.{digits}f}" for end in interval)
    return f"({low} to {high})"


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    return (
        f'<div class="scores"><h3>{escape(title)}</h3>\n{html_page.table(title, head, lines)}\n'
        f'<p class="caption">{escape(caption)}</p></div>'
    )
