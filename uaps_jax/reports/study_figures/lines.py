"""Mean scores over a number, such as the label ratio."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import disable_math
from uaps_jax.reports.study_figures import style


def draw(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Sequence[tuple[float, Sequence[float]]]],
    target: Path,
    *,
    counts: Mapping[float, str] | None = None,
) -> None:
    """Draws mean scores over a number, a line a series, with standard deviations as whiskers.

    The horizontal axis is logarithmic if all numbers are positive, the largest is above 1 and at
    least a hundred times the smallest. Otherwise, as for ratios, it is linear.

    Args:
      title: over the figure.
      x_label: of the horizontal axis.
      y_label: of the vertical axis, with its unit.
      series: name of a line -> its points: x and the scores of the seeds. Points without a score
        are left out.
      target: the PNG to write.
      counts: x -> its number of images in words; written below the axis.
    """
    figure, axes = canvas.subplots(figsize=(7.5, 4.8))
    lines = {
        name: sorted((x, tuple(scores)) for x, scores in points if len(scores))
        for name, points in series.items()
    }
    for index, (name, points) in enumerate(lines.items()):
        axes.errorbar(
            [x for x, _ in points],
            [statistics.fmean(scores) for _, scores in points],
            yerr=np.array([style.deviation(scores) for _, scores in points], float),
            label=style.wrapped(name, 30),
            color=style.COLOURS[index % len(style.COLOURS)],
            marker=style.MARKERS[index % len(style.MARKERS)],
            linestyle=style.STYLES[index // len(style.COLOURS) % len(style.STYLES)],
            markersize=7,
            markeredgecolor="white",
            markeredgewidth=0.6,
            linewidth=1.6,
            elinewidth=1.1,
            capsize=3,
            capthick=1.1,
        )
    _scale_x(axes, sorted({x for points in lines.values() for x, _ in points}))
    explanations = "; ".join(f"{x:g}: {text}" for x, text in sorted((counts or {}).items()))
    if explanations:
        x_label += f"\n{textwrap.fill(explanations, 90)}"
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    style.remove_frame(axes)
    style.write_headings(figure, axes, title, style.OVER_RUNS)
    legend = figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=9, handlelength=3.2
    )
    disable_math(legend.get_texts())
    canvas.save(figure, target, dpi=style.DPI)


def _scale_x(axes: Axes, positions: Sequence[float]) -> None:
    """Chooses the horizontal scale, and the points as its ticks where their labels have room."""
    if len(positions) < 2:
        axes.set_xticks(positions)
        return
    low, high = positions[0], positions[-1]
    logarithmic = low > 0 and high > 1 and high >= 100 * low
    axes.set_xscale("log" if logarithmic else "linear")
    on_axis = np.log(positions) if logarithmic else np.array(positions)
    if np.diff(on_axis).min() >= 0.07 * (on_axis[-1] - on_axis[0]):
        axes.set_xticks(positions, [f"{x:g}" for x in positions])
        axes.xaxis.set_minor_locator(NullLocator())
