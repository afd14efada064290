"""Scores over the number of labels, with the labels that the baseline needs for the same score."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import NullLocator

from uaps_jax.reports import canvas
from uaps_jax.reports.equivalence import Equivalence
from uaps_jax.reports.mathtext import NO_MATH, disable_math
from uaps_jax.reports.study_figures import style


def draw(
    title: str,
    y_label: str,
    series: Mapping[str, Mapping[float, Sequence[float]]],
    found: Sequence[Equivalence],
    target: Path,
) -> None:
    """Draws mean scores over the number of labels, and an arrow for each equivalence.

    Args:
      title: over the figure.
      y_label: of the vertical axis, with its unit.
      series: entry -> labeled images of a budget -> the scores of its runs.
      found: from the labels of an entry to those of the baseline.
      target: the PNG to write.
    """
    figure, axes = canvas.subplots(figsize=(7.5, 4.8))
    for index, (name, points) in enumerate(series.items()):
        numbers = sorted(points)
        axes.errorbar(
            numbers,
            [statistics.fmean(points[number]) for number in numbers],
            yerr=np.array([style.deviation(points[number]) for number in numbers], float),
            label=style.wrapped(name, 30),
            color=style.COLOURS[index % len(style.COLOURS)],
            marker=style.MARKERS[index % len(style.MARKERS)],
            linestyle=style.STYLES[index // len(style.COLOURS) % len(style.STYLES)],
            markersize=7,
            linewidth=1.6,
            capsize=3,
        )
    for one in found:
        points = series[one.entry]
        _, nearest = min((abs(number - one.labeled), number) for number in points)
        score = statistics.fmean(points[nearest])
        axes.annotate(
            "",
            xy=(one.count, score),
            xytext=(one.labeled, score),
            arrowprops={"arrowstyle": "->", "color": "0.35", "linestyle": ":"},
        )
        text = f"{one.bound} {one.factor:.1f} times".strip()
        middle = (one.labeled * one.count) ** 0.5
        axes.annotate(
            text,
            xy=(middle, score),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color="0.25",
            **NO_MATH,
        )
    numbers = sorted({number for points in series.values() for number in points})
    axes.set_xscale("log")
    axes.set_xticks(numbers, [f"{number:.0f}" for number in numbers])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="labeled images", ylabel=y_label)
    axes.grid(alpha=0.3)
    style.remove_frame(axes)
    style.write_headings(figure, axes, title, style.OVER_RUNS)
    legend = figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    disable_math(legend.get_texts())
    canvas.save(figure, target, dpi=style.DPI)
