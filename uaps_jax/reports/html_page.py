"""The parts that all HTML pages have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
table { border-collapse: collapse; overflow-wrap: normal; }
tbody th { font-weight: 400; text-align: left; }
pre { white-space: pre-wrap; }
.wide { overflow-x: auto; }
.wide:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
"""


def document(title: str, style: str, body: Iterable[str]) -> str:
    """An HTML document.

    Args:
      title: plain text, shown by the browser and as the heading of the page.
      style: CSS of this page, after `STYLE`.
      body: HTML elements below the heading.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(body)
        + "\n</main>\n</body></html>\n"
    )


def scroll_region(label: str, table: str) -> str:
    """A region that scrolls sideways where its table is wider than the page, by keyboard too.

    Args:
      label: plain text that names the region for screen readers; unique on the page.
      table: an HTML element.
    """
    return f'<section class="wide" tabindex="0" aria-label="{escape(label)}">{table}</section>'


def table(
    label: str, head: Sequence[str], rows: Iterable[Sequence[str]], bar_column: int = -1
) -> str:
    """A table in a scroll region; the first column names the rows.

    Args:
      label: of the scroll region.
      head: titles of the columns.
      rows: texts.
      bar_column: its texts are percentages, which bars of so many pixels show; -1 for none.
    """

    def cell(column: int, text: str) -> str:
        if column == 0:
            return f'<th scope="row">{escape(text)}</th>'
        if column != bar_column:
            return f"<td>{escape(text)}</td>"
        bar = f'<rect width="{float(text)}" height="11"/>'
        drawn = f'<svg width="100" height="11" aria-hidden="true">{bar}</svg>'
        return f'<td class="bar">{escape(text)} {drawn}</td>'

    lines = [
        "<tr>" + "".join(cell(i, text) for i, text in enumerate(row)) + "</tr>" for row in rows
    ]
    titles = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    drawn = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return scroll_region(label, drawn)
