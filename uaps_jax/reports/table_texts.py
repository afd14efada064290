"""The tables of a study as Markdown and HTML, and its rows as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from html import escape

from uaps_jax.reports import html_page
from uaps_jax.reports.tables import (
    CONFIDENCE,
    LOWER_IS_BETTER,
    Row,
    Summary,
    Table,
    counted,
    is_missing,
)


def caption(table: Table) -> str:
    """Sentences that explain the numbers of a table."""
    lowest = [name for name in table.metrics if name in LOWER_IS_BETTER]
    exception = f", of {', '.join(lowest)} the lowest" if lowest else ""
    counts = set(table.runs.values())
    summaries = [summary for columns in table.rows.values() for summary in columns.values()]
    sentences = [
        f"Percent; {table.labeled}; {counted(counts, 'run')} an entry.",
        "Scores are the mean ± the sample standard deviation over the runs, with the number of "
        "runs in parentheses; a single run has neither.",
        f"Bold marks the best mean of each column (the highest{exception}); it does not "
        "mean that this entry is significantly better.",
    ]
    if any(summary.mean is None for summary in summaries):
        sentences.append("n/a: the metric could not be measured.")
    if table.compared:
        sentences.append(
            f"Differences to {table.baseline} are the mean over the runs that both entries have, "
            "paired by draw of labels and seed, "
            f"± half the width of their {100 * CONFIDENCE:g} % confidence interval "
            "by Student's t; a single pair has none. Each interval is for one comparison; there is "
            "no correction for multiple comparisons."
        )
    return " ".join(sentences)


def markdown(tables: Sequence[Table]) -> str:
    """The tables with their titles and captions, as GitHub's Markdown."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    versus = [f"difference to {table.baseline}"] if table.compared else []
    head = ["entry", "runs", *(text for name in table.metrics for text in (name, *versus))]
    rule = ["---"] + ["---:"] * (len(head) - 1)
    lines = [map(plain, head), rule, *(_markdown_row(table, name) for name in table.rows)]
    drawn = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"### {plain(table.title)}\n\n{drawn}\n{plain(caption(table))}\n"


def _markdown_row(table: Table, name: str) -> list[str]:
    cells = [plain(name), str(table.runs[name])]
    for summary in table.rows[name].values():
        score = _score(summary, table.runs[name])
        cells.append(f"**{score}**" if summary.best else score)
        if table.compared:
            cells.append(_difference(summary, table.baseline))
    return cells


def plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    one_line = " ".join(escape(text, quote=False).split())
    return re.sub(r"([\\|*`\[\]])", r"\\\1", one_line)


def score_lines(tables: Sequence[Table]) -> Iterator[str]:
    """The scores for a terminal, one line an entry."""
    for table in tables:
        yield f"{table.title}, percent" + (
            f"; differences are to {table.baseline}:" if table.compared else ":"
        )
        width = max(map(len, table.rows))
        for name, columns in table.rows.items():
            texts = []
            for metric, summary in columns.items():
                texts.append(f"{metric} {_score(summary, table.runs[name])}")
                if summary.pairs:
                    texts[-1] += f", difference {_difference(summary, table.baseline)}"
            yield f"  {name:{width}}  {'; '.join(texts)}"


def html(tables: Sequence[Table]) -> str:
    """The tables with their titles and captions, as HTML elements."""
    return "\n".join(_html(table) for table in tables)


def _html(table: Table) -> str:
    score_columns = "".join(
        f'<colgroup span="{1 + table.compared}"></colgroup>' for _ in table.metrics
    )
    drawn = (
        f'<table><colgroup span="2"></colgroup>{score_columns}<thead>{_html_head(table)}</thead>\n'
        "<tbody>\n"
        + "\n".join(_html_row(table, name) for name in table.rows)
        + "\n</tbody></table>"
    )
    return (
        f'<div class="scores"><h3>{escape(table.title)}</h3>\n'
        f"{html_page.scroll_region(f'Scores: {table.title}', drawn)}\n"
        f'<p class="caption">{escape(caption(table))}</p></div>'
    )


def _html_head(table: Table) -> str:
    """A row of metrics; with differences, a second row that names both columns of each metric."""
    rows = 1 + table.compared
    scope = 'colspan="2" scope="colgroup"' if table.compared else 'scope="col"'
    first = "".join(
        f'<th rowspan="{rows}" scope="col">{name}</th>' for name in ("entry", "runs")
    ) + "".join(f"<th {scope}>{escape(name)}</th>" for name in table.metrics)
    if not table.compared:
        return f"<tr>{first}</tr>"
    both = ("score", f"difference to {table.baseline}")
    second = "".join(f'<th scope="col">{escape(text)}</th>' for text in both)
    return f"<tr>{first}</tr><tr>{second * len(table.metrics)}</tr>"


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
        writer.writerow({name: "" if is_missing(value) else value for name, value in row.items()})
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
        return "no common run" if summary.count else "n/a"
    if summary.interval is None:
        return f"{summary.difference:+z.2f} (1 pair)"
    fewer = f" ({summary.pairs} pairs)" if summary.pairs < summary.count else ""
    return f"{summary.difference:+z.2f} ± {summary.interval:.2f}{fewer}"
