"""Names as they are in figures: a dollar sign begins no formula."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.text import Text

PLAIN = {"parse_math": False}
"""Keyword of every text that holds a name."""


def as_plain(texts: Iterable[Text]) -> None:
    """Does the same for texts that are made already, such as those of a legend."""
    for text in texts:
        text.set_parse_math(False)
