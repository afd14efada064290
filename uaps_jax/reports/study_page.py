"""A study as a page: one HTML file beside its pictures, that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from uaps_jax.reports import tables as tables_lib
from uaps_jax.reports.tables import Table

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;
       padding: 0 1rem; color: #222; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .6rem; text-align: right; white-space: nowrap; }
thead th { font-weight: 600; text-align: center; vertical-align: bottom; }
thead tr + tr th { font-weight: 400; font-size: .8rem; color: #555; padding-top: 0;
                   white-space: normal; }
thead tr:last-child th, thead th[rowspan] { border-bottom: 1px solid #999; }
tbody th { font-weight: 400; }
tbody th, thead tr:first-child th:first-child { text-align: left; padding-left: .3rem; }
tbody tr { border-bottom: 1px solid #e4e4e4; }
.best { background: #e6f4ef; }
.caption, figcaption { font-size: .8rem; color: #555; max-width: 60rem; }
figure { margin: 1.4rem 0 2rem; } figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #333; margin-top: .3rem; }
.failures { border-left: 5px solid #e69f00; padding: .1rem .9rem; }
.failures h2 { margin-top: .4rem; }
.failures li { white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { body { max-width: none; } section, figure { break-inside: avoid; } }
"""


def render(
    title: str,
    tables: Sequence[Table],
    figures: Sequence[tuple[str, str]],
    failures: Sequence[str],
    notes: Sequence[str],
) -> str:
    """The whole page. A part without content is left out.

    Args:
      title: over the page.
      tables: the scores.
      figures: caption and file of each picture; the file is relative to the page.
      failures: what did not end as it should, a line each; they are named before any score.
      notes: what a reader should know, a paragraph each.

    Raises:
      ValueError: where the file of a picture is not relative.
    """
    body = [f"<h1>{escape(title)}</h1>"]
    if failures:
        lines = "".join(f"<li>{escape(line)}</li>" for line in failures)
        body.append(f'<div class="failures"><h2>Failures: {len(failures)}</h2><ul>{lines}</ul>')
        body.append("<p>The scores below are without them.</p></div>")
    if notes:
        body += ["<h2>Notes</h2>", *(f"<p>{escape(note)}</p>" for note in notes)]
    if tables:
        body += ["<h2>Scores</h2>", tables_lib.html(tables)]
    if figures:
        body += ["<h2>Figures</h2>", *(_figure(caption, file) for caption, file in figures)]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _figure(caption: str, file: str) -> str:
    if not file or PurePosixPath(file).is_absolute():
        raise ValueError(f"{file!r}: the file of a figure must be relative to the page")
    text, address = escape(caption), escape(quote(file))
    return (
        f'<figure><a href="{address}"><img alt="{text}" src="{address}"></a>'
        f"<figcaption>{text}</figcaption></figure>"
    )
