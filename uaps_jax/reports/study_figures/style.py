"""Colours, markers and headings of the figures of a study."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uaps_jax import palette
from uaps_jax.datasets.plain_text import shown
from uaps_jax.reports.mathtext import NO_MATH

# Okabe and Ito's colours, the strongest contrasts first, without yellow, which is hard to see on
# white.
COLOURS = [tuple((palette.COLOURS[i] / 255).tolist()) for i in (7, 5, 1, 4, 3, 2, 0, 9)]
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
STYLES = ("-", "--", ":", "-.")
BLUE, ORANGE, GREY = COLOURS[0], COLOURS[3], "0.6"
DPI = 130
HIGHEST_DPI = 240
OVER_RUNS = "mean over the runs; whiskers: sample standard deviation, none for a single run"


def deviation(scores: Sequence[float]) -> float | None:
    """Sample standard deviation; None for a single score."""
    return statistics.stdev(scores) if len(scores) > 1 else None


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most so many characters, a parenthesis on a line of its own."""
    text = shown(text)
    parts = [text] if len(text) <= width else text.replace(" (", "\n(").splitlines()
    return "\n".join(textwrap.fill(part, width) for part in parts)


def write_title(figure: Figure, title: str) -> None:
    """Writes a title over a figure, wrapped to its width."""
    text = textwrap.fill(title, int(8 * figure.get_figwidth()))
    figure.suptitle(text, fontweight="bold", **NO_MATH)


def write_headings(figure: Figure, axes: Axes, title: str, note: str) -> None:
    """Writes a title over a figure, and a note in small type over its axes."""
    write_title(figure, title)
    axes.set_title(textwrap.fill(note, int(14 * figure.get_figwidth())), fontsize=8, color="0.35")


def remove_frame(axes: Axes) -> None:
    """Removes the lines of the axes at the top and on the right."""
    axes.spines[["top", "right"]].set_visible(False)
