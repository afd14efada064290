"""Figures that are drawn in memory: no window is opened and pyplot's backend is not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def subplots(
    rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **options: Any
) -> tuple[Figure, Any]:
    """A figure with a constrained layout, and its axes.

    Args:
      rows: number of rows of axes.
      columns: number of columns of axes.
      figsize: width and height in inches.
      **options: of `matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=figsize, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, target: Path, *, dpi: float) -> None:
    """Writes a figure as PNG."""
    figure.savefig(target, dpi=dpi)
