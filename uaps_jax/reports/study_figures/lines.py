"""Mean scores over a number: curves with whiskers."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from uaps_jax.reports import canvas
from uaps_jax.reports.plain import as_plain
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
    """Mean scores over a number, a line a series, with standard deviations as whiskers.

    The horizontal axis is linear for shares, all in [0, 1], such as label ratios. Positive numbers
    beyond, the largest at least a hundred times the smallest, are drawn on a logarithmic one.

    Args:
      title: over the figure.
      x_label: of the horizontal axis.
      y_label: of the vertical axis, with its unit.
      series: name of a line -> its points: x and the scores of the seeds. Points without a score
        are left out.
      target: the PNG to write.
      counts: x -> what it stands for, in words; written below the axis.
    """
    figure, axes = canvas.subplots(figsize=(7.5, 4.8))
    drawn = {
        name: sorted((x, tuple(scores)) for x, scores in points if len(scores))
        for name, points in series.items()
    }
    for index, (name, points) in enumerate(drawn.items()):
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
    _horizontal(axes, sorted({x for points in drawn.values() for x, _ in points}))
    said = "; ".join(f"{x:g}: {text}" for x, text in sorted((counts or {}).items()))
    below = f"{x_label}\n{textwrap.fill(said, 90)}" if said else x_label
    axes.set(xlabel=below, ylabel=y_label)
    axes.grid(alpha=0.3)
    style.remove_frame(axes)
    style.write_headings(figure, axes, title, style.OVER_SEEDS)
    legend = figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=9, handlelength=3.2
    )
    as_plain(legend.get_texts())
    canvas.save(figure, target, dpi=style.DPI)


def _horizontal(axes: Axes, places: Sequence[float]) -> None:
    """Chooses the horizontal scale; marks the points themselves where their labels have room."""
    if len(places) < 2:
        axes.set_xticks(places)
        return
    wide = places[0] > 0 and places[-1] > 1 and places[-1] >= 100 * places[0]
    axes.set_xscale("log" if wide else "linear")
    drawn = np.log(places) if wide else np.array(places)
    if np.diff(drawn).min() >= 0.07 * (drawn[-1] - drawn[0]):
        axes.set_xticks(places, [f"{x:g}" for x in places])
        axes.xaxis.set_minor_locator(NullLocator())
