"""Names in figures without matplotlib's mathematical markup, which a dollar sign would start."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.text import Text

NO_MATH = {"parse_math": False}
"""Keyword arguments of every text that contains a name."""


def disable_math(texts: Iterable[Text]) -> None:
    """Turns the markup off in existing texts, such as those of a legend."""
    for text in texts:
        text.set_parse_math(False)
