"""The report of a study as an HTML page; it loads its pictures and no other files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from uaps_jax.reports import html_page

_STYLE = """
body { max-width: 72rem; }
h2 { font-size: 1.2rem; margin-top: 2.4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
table { font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .6rem; text-align: right; white-space: nowrap; }
thead th { font-weight: 600; text-align: center; vertical-align: bottom; }
thead tr + tr th { font-weight: 400; font-size: .8rem; color: #555; padding-top: 0;
                   white-space: normal; }
thead tr:last-child th, thead th[rowspan] { border-bottom: 1px solid #999; }
tbody th, thead tr:first-child th:first-child { text-align: left; padding-left: .3rem; }
tbody th, thead tr:first-child th:first-child { position: sticky; left: 0; background: #fff; }
tbody tr { border-bottom: 1px solid #e4e4e4; }
.best { background: #e6f4ef; }
.caption, figcaption { font-size: .8rem; color: #555; max-width: 60rem; }
figure { margin: 1.4rem 0 2rem; } figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #333; margin-top: .3rem; }
.failures { border-left: 5px solid #e69f00; padding: .1rem .9rem; }
.failures h2 { margin-top: .4rem; }
.failures li { white-space: pre-wrap; }
@media (max-width: 40rem) { tbody th { white-space: normal; min-width: 6rem; } }
@media print { body { max-width: none; } .scores, figure { break-inside: avoid; } }
"""


def render(
    title: str,
    scores: str,
    figures: Sequence[tuple[str, str]],
    failures: Sequence[str],
    notes: Sequence[str],
) -> str:
    """The whole page. A part without content is left out.

    Args:
      title: of the study.
      scores: tables, as HTML elements.
      figures: caption and file of each picture; the file is relative to the page.
      failures: of trainings, a line each; they are shown above all scores.
      notes: on the scores, a paragraph each.

    Raises:
      ValueError: the file of a picture is not relative.
    """
    body = []
    if failures:
        lines = "".join(f"<li>{escape(line)}</li>" for line in failures)
        body.append(f'<div class="failures"><h2>Failures: {len(failures)}</h2><ul>{lines}</ul>')
        body.append("<p>The scores below do not include these trainings.</p></div>")
    if notes:
        body += ["<h2>Notes</h2>", *(f"<p>{escape(note)}</p>" for note in notes)]
    if scores.strip():
        body += ["<h2>Scores</h2>", scores]
    if figures:
        body += ["<h2>Figures</h2>", *(_figure(caption, file) for caption, file in figures)]
    return html_page.document(title, _STYLE, body)


def _figure(caption: str, file: str) -> str:
    if not file or PurePosixPath(file).is_absolute():
        raise ValueError(f"{file!r}: the file of a figure must be relative to the page")
    text, address = escape(caption), escape(quote(file))
    return (
        f'<figure><a href="{address}"><img alt="{text}" src="{address}"></a>'
        f"<figcaption>{text}</figcaption></figure>"
    )
