"""A table of texts with a title and a caption, as Markdown and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from uaps_jax.reports import html_page, table_texts


def markdown(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], caption: str, texts: int = 1
) -> str:
    """GitHub's Markdown; empty without a row.

    Args:
      title: above the table.
      head: names of the columns.
      rows: the cells; the first of a row names it.
      caption: below the table.
      texts: number of the first columns that are aligned to the left; the others are numbers.
    """
    if not rows:
        return ""
    plain = table_texts.plain
    rule = ("---",) * texts + ("---:",) * (len(head) - texts)
    lines = "".join(f"| {' | '.join(map(plain, line))} |\n" for line in (head, rule, *rows))
    return f"### {plain(title)}\n\n{lines}\n{plain(caption)}\n"


def html(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """HTML elements; empty without a row. Arguments as for `markdown`."""
    if not rows:
        return ""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>\n"
        for first, *rest in rows
    )
    table = f"<table><thead><tr>{columns}</tr></thead>\n<tbody>\n{body}</tbody></table>"
    return (
        f'<div class="scores"><h3>{escape(title)}</h3>\n{html_page.scroll_region(title, table)}\n'
        f'<p class="caption">{escape(caption)}</p></div>'
    )
