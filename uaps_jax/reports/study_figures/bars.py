"""Mean scores side by side."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH
from uaps_jax.reports.study_figures import style


def draw(title: str, y_label: str, values: Mapping[str, Sequence[float]], target: Path) -> None:
    """Draws mean scores, with standard deviations as whiskers and the means as numbers.

    Where the smallest mean is at most half the largest, they are bars that start at 0. Otherwise
    they are points on an axis that is cut to their range, and the figure says so: bars from 0 would
    be nearly equal.

    Args:
      title: over the figure.
      y_label: of the vertical axis, with its unit.
      values: name -> scores of the seeds, from left to right; a name without a score is marked.
      target: the PNG to write.
    """
    figure, axes = canvas.subplots(figsize=(max(5.5, 1.0 * len(values) + 1.2), 4.6))
    means = {name: statistics.fmean(scores) for name, scores in values.items() if len(scores)}
    axis_is_cut = bool(means) and min(means.values()) > 0.5 * max(means.values())
    for position, (name, scores) in enumerate(values.items()):
        if name not in means:
            axes.annotate(
                "no score",
                (position, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                color="0.35",
                fontsize=9,
            )
            continue
        if not axis_is_cut:
            axes.bar(position, means[name], width=0.62, color=style.BLUE, alpha=0.75)
        axes.errorbar(
            position,
            means[name],
            yerr=style.deviation(scores),
            fmt="o" if axis_is_cut else "none",
            color=style.BLUE,
            ecolor=style.BLUE if axis_is_cut else "0.15",
            markersize=7,
            elinewidth=1.3,
            capsize=5,
        )
        if len(scores) > 1:
            right = np.full(len(scores), position + 0.2)
            axes.plot(right, scores, "o", color="0.35", markersize=3, markerfacecolor="white")
        top = max(
            means[name] + (style.deviation(scores) or 0), *scores, 0 if not axis_is_cut else -np.inf
        )
        axes.annotate(
            f"{means[name]:.2f}",
            (position, top),
            xytext=(0, 5 if len(scores) > 1 or not axis_is_cut else 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set(ylabel=y_label, xlim=(-0.6, len(values) - 0.4))
    labels = [style.wrapped(name, 13) for name in values]
    axes.set_xticks(range(len(values)), labels, fontsize=8.5, **NO_MATH)
    axes.margins(y=0.14)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    style.remove_frame(axes)
    seeds = "; small circles: the seeds" if any(len(s) > 1 for s in values.values()) else ""
    cut = "; the axis does not start at 0" if axis_is_cut else ""
    style.write_headings(figure, axes, title, style.OVER_RUNS + seeds + cut)
    canvas.save(figure, target, dpi=style.DPI)
