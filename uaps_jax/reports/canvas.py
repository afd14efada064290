"""Figures in memory alone: no window, no backend that is chosen for the whole process."""

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
      rows: of axes.
      columns: likewise.
      figsize: width and height in inches.
      **options: as of `matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=figsize, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, target: Path, *, dpi: float) -> None:
    """Writes a figure as PNG."""
    figure.savefig(target, dpi=dpi)
