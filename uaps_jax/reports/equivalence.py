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
from html import escape
from typing import Literal

import numpy as np
from scipy import optimize

from uaps_jax.reports import html_page, table_texts
from uaps_jax.reports.tables import CONFIDENCE, LOWER_IS_BETTER, Row, Run, half_width, is_missing

Bound = Literal["", "at least", "at most"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Equivalence:
    """The label equivalence of an entry at one budget.

    Attributes:
      entry: whose.
      labeled: its labeled images.
      runs: number of runs that the baseline has, too.
      count: labeled images of the baseline with the same score: the geometric mean over the runs.
      interval: of the 95 % confidence interval of `count` by Student's t on logarithms; None below
        two runs.
      bound: whether the score of a run lies above the baseline's last or below its first budget,
        so that `count` is a bound only.
    """

    entry: str
    labeled: int
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
        scores: dict[int, dict[Run, float]] = {}
        for row in known:
            run = row["split_seed"], row["seed"]
            if row["entry"] == entry and len(curves.get(run, ())) > 1:
                scores.setdefault(row["labeled"], {})[run] = row[metric]
        for labeled in sorted(scores):
            found.append(_equivalence(entry, labeled, scores[labeled], curves))
    return found


def _equivalence(
    entry: str,
    labeled: int,
    scores: Mapping[Run, float],
    curves: Mapping[Run, Mapping[int, float]],
) -> Equivalence:
    counts, bounds = zip(
        *(inverse(curves[run], score) for run, score in scores.items()), strict=True
    )
    logs = [math.log(count) for count in counts]
    mean, interval = statistics.fmean(logs), None
    if len(logs) > 1:
        half = half_width(logs)
        interval = math.exp(mean - half), math.exp(mean + half)
    bound = next((b for b in ("at least", "at most") if b in bounds), "")
    return Equivalence(
        entry=entry,
        labeled=labeled,
        runs=len(logs),
        count=math.exp(mean),
        interval=interval,
        bound=bound,  # type: ignore[arg-type]
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
        "Student's t."
    )


HEAD = ("entry", "labeled images", "runs", "equivalent", "interval", "factor")


def cells(found: Equivalence) -> tuple[str, ...]:
    """The cells of a row below `HEAD`."""
    interval = "-" if found.interval is None else "{:.0f} to {:.0f}".format(*found.interval)
    count = f"{found.bound} {found.count:.0f}".strip()
    factor = f"{found.bound} {found.factor:.1f}".strip()
    return found.entry, str(found.labeled), str(found.runs), count, interval, factor


def markdown(rows: Sequence[Equivalence], baseline: str, metric: str) -> str:
    """The table as GitHub's Markdown; empty without a row."""
    if not rows:
        return ""
    lines = [HEAD, ("---", *("---:" for _ in HEAD[1:])), *map(cells, rows)]
    lines = [tuple(map(table_texts.plain, line)) for line in lines]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"### Label equivalence\n\n{table}\n{table_texts.plain(caption(baseline, metric))}\n"


def html(rows: Sequence[Equivalence], baseline: str, metric: str) -> str:
    """The table as HTML elements; empty without a row."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{x}</td>" for x in rest)}</tr>\n'
        for first, *rest in map(cells, rows)
    )
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"
    return (
        '<div class="scores"><h3>Label equivalence</h3>\n'
        f"{html_page.scroll_region('Label equivalence', table)}\n"
        f'<p class="caption">{escape(caption(baseline, metric))}</p></div>'
    )
