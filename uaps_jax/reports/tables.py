"""The numbers of a study's tables: scores over the runs, paired differences to a baseline."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from scipy import stats

# The score of one training: `dataset`, `entry`, `split_seed` (the draw of labels), `seed`,
# `labeled` (number of labeled images), `labeled_groups` (of their leakage groups; None where it is
# not known), `budget` (the setting that it comes from), `step`, and one number in percent for each
# metric, None where it cannot be measured.
Row = Mapping[str, Any]
Run = tuple[int, int]
"""The draw of labels and the seed of a training."""

CONFIDENCE = 0.95
LOWER_IS_BETTER = (
    "clean_image_false_positive_rate",
    "false_alarm_rate",
    "group_false_alarm_rate",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """One metric of one entry over its runs. Everything but the counts is in percent.

    Attributes:
      entry: whose score.
      count: of the runs in which the metric could be measured.
      mean: over these runs; None without any.
      deviation: their sample standard deviation; None below two runs.
      pairs: number of these whose draw and seed the baseline has, too; 0 for the baseline itself.
      difference: mean over the pairs of entry minus baseline; None without a pair.
      interval: half the width of the 95 % confidence interval of that mean difference by Student's
        t; None below two pairs.
      best: the mean is the highest in its column, for `LOWER_IS_BETTER` the lowest; several
        entries can share it.
    """

    entry: str
    count: int
    mean: float | None
    deviation: float | None
    pairs: int
    difference: float | None
    interval: float | None
    best: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """The scores on one dataset with one budget of labels.

    Attributes:
      title: over the table.
      dataset: its name.
      budget: the setting that decides how many images are labeled.
      labeled: the labeled images of its trainings in words, and their leakage groups where they
        are known: "30 labeled images of 30 leakage groups".
      metrics: names of the columns.
      baseline: the entry that the others are compared with.
      runs: entry -> number of its trainings.
      rows: entry -> metric -> summary.
    """

    title: str
    dataset: str
    budget: str
    labeled: str
    metrics: tuple[str, ...]
    baseline: str
    runs: Mapping[str, int]
    rows: Mapping[str, Mapping[str, Summary]]

    @property
    def compared(self) -> bool:
        """Whether any entry shares a draw and a seed with the baseline."""
        return any(s.pairs for columns in self.rows.values() for s in columns.values())


def tables(
    rows: Sequence[Row], entries: Sequence[str], metrics: Sequence[str], baseline: str
) -> list[Table]:
    """One table for each dataset and budget, in the order in which they first appear.

    Args:
      rows: one a training.
      entries: which are shown, from top to bottom; those without a training are left out.
      metrics: the columns, from left to right.
      baseline: the entry that the others are compared with; it need not be shown.

    Raises:
      ValueError: where a training appears twice or a row lacks a metric.
    """
    grouped: dict[tuple[str, str], dict[str, dict[Run, Row]]] = {}
    for row in rows:
        run = row["split_seed"], row["seed"]
        where = f"{row['entry']} on {row['dataset']}, {row['budget']}, draw {run[0]}, seed {run[1]}"
        missing = [name for name in metrics if name not in row]
        if missing:
            raise ValueError(f"{where}: no {', '.join(missing)}")
        runs = grouped.setdefault((row["dataset"], row["budget"]), {}).setdefault(row["entry"], {})
        if run in runs:
            raise ValueError(f"{where}: appears twice")
        runs[run] = row
    return [
        _table(dataset, budget, runs, [name for name in entries if name in runs], metrics, baseline)
        for (dataset, budget), runs in grouped.items()
        if any(name in runs for name in entries)
    ]


def _table(
    dataset: str,
    budget: str,
    runs: Mapping[str, Mapping[Run, Row]],
    entries: Sequence[str],
    metrics: Sequence[str],
    baseline: str,
) -> Table:
    columns = {metric: _column(metric, runs, entries, baseline) for metric in metrics}
    shown = [row for name in entries for row in runs[name].values()]
    labeled = labeled_text(shown)
    return Table(
        title=f"{dataset}, {labeled} ({budget})",
        dataset=dataset,
        budget=budget,
        labeled=labeled,
        metrics=tuple(metrics),
        baseline=baseline,
        runs={name: len(runs[name]) for name in entries},
        rows={name: {metric: columns[metric][name] for metric in metrics} for name in entries},
    )


def labeled_text(rows: Sequence[Row]) -> str:
    """How many images are labeled in some trainings, and of how many leakage groups if known."""
    images = {row["labeled"] for row in rows}
    groups = {row["labeled_groups"] for row in rows}
    of = "" if None in groups else f" of {counted(groups, 'leakage group')}"
    return f"{counted(images, 'labeled image')}{of}"


def counted(counts: Collection[int], noun: str) -> str:
    """`1 image`, `3 images`, or `1 to 3 images` for the smallest and the largest count."""
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} {noun}{'s' * (set(counts) != {1})}"


def _column(
    metric: str, runs: Mapping[str, Mapping[Run, Row]], entries: Sequence[str], baseline: str
) -> dict[str, Summary]:
    reference = _measured(metric, runs.get(baseline, {}))
    column = {}
    for name in entries:
        scores = _measured(metric, runs[name])
        common = [run for run in scores if run in reference and name != baseline]
        differences = [scores[run] - reference[run] for run in common]
        column[name] = Summary(
            entry=name,
            count=len(scores),
            mean=statistics.fmean(scores.values()) if scores else None,
            deviation=statistics.stdev(scores.values()) if len(scores) > 1 else None,
            pairs=len(differences),
            difference=statistics.fmean(differences) if differences else None,
            interval=half_width(differences) if len(differences) > 1 else None,
            best=False,
        )
    means = [summary.mean for summary in column.values() if summary.mean is not None]
    best = (min if metric in LOWER_IS_BETTER else max)(means, default=None)
    return {
        name: dataclasses.replace(summary, best=best is not None and summary.mean == best)
        for name, summary in column.items()
    }


def _measured(metric: str, runs: Mapping[Run, Row]) -> dict[Run, float]:
    scores = {run: row[metric] for run, row in runs.items()}
    return {run: value for run, value in scores.items() if not is_missing(value)}


def is_missing(value: Any) -> bool:
    """Whether a score could not be measured: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def half_width(values: Sequence[float]) -> float:
    """Half the width of the 95 % confidence interval of the mean of at least two values.

    t(0.975, n - 1) s / sqrt(n), with the sample standard deviation s.
    """
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return quantile * statistics.stdev(values) / math.sqrt(len(values))
