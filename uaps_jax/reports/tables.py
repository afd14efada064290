"""The tables of a study: scores over the seeds, and differences to a baseline seed by seed."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
import statistics
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

from scipy import stats

# The score of one training: `dataset`, `entry`, `ratio`, `seed`, `labeled` (number of labeled
# images), `labeled_groups` (of their leakage groups; None where it is not known), `budget` (the
# setting that it comes from), `step`, and one number in percent for each metric, None where it
# cannot be measured.
Row = Mapping[str, Any]

CONFIDENCE = 0.95
LOWER_IS_BETTER = ("clean_image_false_positive_rate",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """One metric of one entry over its seeds. Everything but the counts is in percent.

    Attributes:
      entry: whose score.
      count: of the seeds in which the metric could be measured.
      mean: over these seeds; None without any.
      deviation: their sample standard deviation; None below two seeds.
      pairs: number of seeds that were measured for the baseline, too; 0 for the baseline itself.
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
      ratio: `data.labeled_ratio`.
      labeled: the labeled images of its trainings in words, and their leakage groups where they
        are known: "30 labeled images of 30 leakage groups".
      metrics: names of the columns.
      baseline: the entry that the others are compared with.
      runs: entry -> number of its trainings.
      rows: entry -> metric -> summary.
    """

    title: str
    dataset: str
    ratio: float
    labeled: str
    metrics: tuple[str, ...]
    baseline: str
    runs: Mapping[str, int]
    rows: Mapping[str, Mapping[str, Summary]]

    @property
    def compared(self) -> bool:
        """Whether any entry shares a seed with the baseline."""
        return any(s.pairs for columns in self.rows.values() for s in columns.values())


def tables(
    rows: Sequence[Row], entries: Sequence[str], metrics: Sequence[str], baseline: str
) -> list[Table]:
    """One table for each dataset and ratio, in the order in which they first appear.

    Args:
      rows: one a training.
      entries: which are shown, from top to bottom; those without a training are left out.
      metrics: the columns, from left to right.
      baseline: the entry that the others are compared with; it need not be shown.

    Raises:
      ValueError: where a training appears twice or a row lacks a metric.
    """
    grouped: dict[tuple[str, float], dict[str, dict[int, Row]]] = {}
    for row in rows:
        where = f"{row['entry']} on {row['dataset']}, ratio {row['ratio']:g}, seed {row['seed']}"
        missing = [name for name in metrics if name not in row]
        if missing:
            raise ValueError(f"{where}: no {', '.join(missing)}")
        runs = grouped.setdefault((row["dataset"], row["ratio"]), {}).setdefault(row["entry"], {})
        if row["seed"] in runs:
            raise ValueError(f"{where}: appears twice")
        runs[row["seed"]] = row
    return [
        _table(dataset, ratio, runs, [name for name in entries if name in runs], metrics, baseline)
        for (dataset, ratio), runs in grouped.items()
        if any(name in runs for name in entries)
    ]


def _table(
    dataset: str,
    ratio: float,
    runs: Mapping[str, Mapping[int, Row]],
    entries: Sequence[str],
    metrics: Sequence[str],
    baseline: str,
) -> Table:
    columns = {metric: _column(metric, runs, entries, baseline) for metric in metrics}
    shown = [row for name in entries for row in runs[name].values()]
    labeled = labeled_text(shown)
    budgets = ", ".join(dict.fromkeys(row["budget"] for row in shown))
    return Table(
        title=f"{dataset}, {labeled} ({budgets})",
        dataset=dataset,
        ratio=ratio,
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
    of = "" if None in groups else f" of {_counted(groups, 'leakage group')}"
    return f"{_counted(images, 'labeled image')}{of}"


def _counted(counts: Collection[int], noun: str) -> str:
    """`1 image`, `3 images`, `1 to 3 images`."""
    return f"{_range(sorted(counts))} {noun}{'s' * (set(counts) != {1})}"


def _column(
    metric: str, runs: Mapping[str, Mapping[int, Row]], entries: Sequence[str], baseline: str
) -> dict[str, Summary]:
    reference = _measured(metric, runs.get(baseline, {}))
    column = {}
    for name in entries:
        scores = _measured(metric, runs[name])
        common = [seed for seed in scores if seed in reference and name != baseline]
        differences = [scores[seed] - reference[seed] for seed in common]
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


def _measured(metric: str, runs: Mapping[int, Row]) -> dict[int, float]:
    scores = {seed: row[metric] for seed, row in runs.items()}
    return {seed: value for seed, value in scores.items() if not _nothing(value)}


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def half_width(values: Sequence[float]) -> float:
    """Half the width of the 95 % confidence interval of the mean of at least two values.

    t(0.975, n - 1) s / sqrt(n), with the sample standard deviation s.
    """
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return quantile * statistics.stdev(values) / math.sqrt(len(values))


def caption(table: Table) -> str:
    """What the numbers of a table are, in sentences."""
    lowest = [name for name in table.metrics if name in LOWER_IS_BETTER]
    exception = f", of {', '.join(lowest)} the lowest" if lowest else ""
    counts = set(table.runs.values())
    summaries = [summary for columns in table.rows.values() for summary in columns.values()]
    sentences = [
        f"Percent; {table.labeled}; {_counted(counts, 'seed')} an entry, one training each.",
        "Scores are the mean ± the sample standard deviation over the seeds, whose number stands "
        "in parentheses; a single run has neither.",
        f"Bold is the best mean of its column (the highest{exception}), not a significance.",
    ]
    if any(summary.mean is None for summary in summaries):
        sentences.append("n/a: could not be measured.")
    if table.compared:
        sentences.append(
            f"Differences to {table.baseline} are the mean over the seeds that both have, paired "
            f"by seed, ± half the width of its {100 * CONFIDENCE:g} % confidence interval by "
            "Student's t; a single pair has none. The intervals hold for one comparison each: "
            "they are not widened for their number."
        )
    return " ".join(sentences)


def markdown(tables: Sequence[Table]) -> str:
    """The tables with their titles and captions, as GitHub's Markdown."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    versus = [f"difference to {table.baseline}"] if table.compared else []
    head = ["entry", "seeds", *(text for name in table.metrics for text in (name, *versus))]
    rule = ["---"] + ["---:"] * (len(head) - 1)
    lines = [map(_plain, head), rule, *(_markdown_row(table, name) for name in table.rows)]
    drawn = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"### {_plain(table.title)}\n\n{drawn}\n{_plain(caption(table))}\n"


def _markdown_row(table: Table, name: str) -> list[str]:
    cells = [_plain(name), str(table.runs[name])]
    for summary in table.rows[name].values():
        score = _score(summary, table.runs[name])
        cells.append(f"**{score}**" if summary.best else score)
        if table.compared:
            cells.append(_difference(summary, table.baseline))
    return cells


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    one_line = " ".join(escape(text, quote=False).split())
    return re.sub(r"([\\|*`\[\]])", r"\\\1", one_line)


def html(tables: Sequence[Table]) -> str:
    """The tables with their titles and captions, as HTML without a document around them."""
    return "\n".join(_html(table) for table in tables)


def _html(table: Table) -> str:
    span = 1 + table.compared
    metrics = "".join(f'<th colspan="{span}">{escape(name)}</th>' for name in table.metrics)
    rows_down = 2 if table.compared else 1
    head = (
        f'<tr><th rowspan="{rows_down}">entry</th><th rowspan="{rows_down}">seeds</th>'
        f"{metrics}</tr>"
    )
    if table.compared:
        versus = f"<th>score</th><th>difference to {escape(table.baseline)}</th>"
        head += f"<tr>{versus * len(table.metrics)}</tr>"
    body = "\n".join(_html_row(table, name) for name in table.rows)
    return (
        f'<section class="scores"><h3>{escape(table.title)}</h3>\n'
        f'<div class="wide"><table><thead>{head}</thead>\n<tbody>\n{body}\n</tbody></table></div>\n'
        f'<p class="caption">{escape(caption(table))}</p></section>'
    )


def _html_row(table: Table, name: str) -> str:
    cells = [f'<th scope="row">{escape(name)}</th>', f"<td>{table.runs[name]}</td>"]
    for summary in table.rows[name].values():
        score = _score(summary, table.runs[name])
        best = f'<td class="best"><b>{score}</b></td>'
        cells.append(best if summary.best else f"<td>{score}</td>")
        if table.compared:
            cells.append(f"<td>{_difference(summary, table.baseline)}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def csv_text(rows: Sequence[Row]) -> str:
    """All rows as comma-separated values.

    The columns are the keys in the order in which they first appear; None, NaN and what a row
    lacks are left empty.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if _nothing(value) else value for name, value in row.items()})
    return file.getvalue()


def _score(summary: Summary, runs: int) -> str:
    if summary.mean is None:
        return "n/a"
    if summary.deviation is None:
        return f"{summary.mean:.2f}" + (" (1)" if runs > 1 else "")
    return f"{summary.mean:.2f} ± {summary.deviation:.2f} ({summary.count})"


def _difference(summary: Summary, baseline: str) -> str:
    if summary.entry == baseline:
        return "baseline"
    if summary.difference is None:
        return "no common seed" if summary.count else "n/a"
    if summary.interval is None:
        return f"{summary.difference:+z.2f} (1 pair)"
    fewer = f" ({summary.pairs} pairs)" if summary.pairs < summary.count else ""
    return f"{summary.difference:+z.2f} ± {summary.interval:.2f}{fewer}"


def _range(counts: Sequence[int]) -> str:
    """Ascending numbers in words: `3`, or `1 to 3`."""
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
