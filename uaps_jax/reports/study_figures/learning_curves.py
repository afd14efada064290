"""Scores over the labels of the rounds, with the fitted curves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import NullLocator

from uaps_jax.evaluation.learning_curve import Curve
from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import disable_math
from uaps_jax.reports.study_figures import style

NOTE = f"{style.OVER_RUNS}; dashed: m(n) = m_inf - b n^-c, fitted to validation scores"


def draw(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Mapping[float, Sequence[float]]],
    curves: Mapping[str, Curve],
    target: Path,
) -> None:
    """Draws mean test scores of the rounds, with standard deviations as whiskers.

    Args:
      title: over the figure.
      x_label: of the horizontal axis, which is logarithmic.
      y_label: of the vertical axis, with its unit.
      series: strategy -> labels of a round -> the scores of its runs.
      curves: strategy -> the fitted curve, for some of them.
      target: the PNG to write.
    """
    figure, axes = canvas.subplots(figsize=(7.5, 4.8))
    for index, (name, points) in enumerate(series.items()):
        numbers = sorted(points)
        colour = style.COLOURS[index % len(style.COLOURS)]
        axes.errorbar(
            numbers,
            [statistics.fmean(points[number]) for number in numbers],
            yerr=np.array([style.deviation(points[number]) for number in numbers], float),
            label=style.wrapped(name, 30),
            color=colour,
            marker=style.MARKERS[index % len(style.MARKERS)],
            markersize=7,
            linewidth=1.6,
            capsize=3,
        )
        if name in curves:
            along = np.geomspace(numbers[0], numbers[-1], 60)
            axes.plot(along, [curves[name](x) for x in along], "--", color=colour, linewidth=1.1)
    numbers = sorted({number for points in series.values() for number in points})
    axes.set_xscale("log")
    if len(numbers) <= 8:
        axes.set_xticks(numbers, [f"{number:.0f}" for number in numbers])
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    style.remove_frame(axes)
    style.write_headings(figure, axes, title, NOTE)
    legend = figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    disable_math(legend.get_texts())
    canvas.save(figure, target, dpi=style.DPI)
