"""Scores and costs of networks with auxiliary decoders."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH
from uaps_jax.reports.study_figures import style


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderRow:
    """One network of the comparison of decoders.

    Attributes:
      name: of the network.
      main: scores of the main decoder, one a seed.
      ensemble: scores of the mean of all decoders, one a seed; empty where there is one decoder.
      parameters: number of trained parameters.
      macs: multiply-accumulates of one forward pass.
      main_ms: inference time with the main decoder, milliseconds.
      ensemble_ms: with all decoders, milliseconds; None where there is one decoder.
    """

    name: str
    main: Sequence[float]
    ensemble: Sequence[float]
    parameters: int
    macs: int
    main_ms: float
    ensemble_ms: float | None


def draw(title: str, y_label: str, rows: Sequence[DecoderRow], target: Path) -> None:
    """Draws scores, parameters, multiply-accumulates and inference times, a panel each.

    Scores of the main decoder and of the ensemble are points on an axis that is cut to their range.

    Args:
      title: over the figure.
      y_label: of the scores, with their unit.
      rows: the networks, from top to bottom.
      target: the PNG to write.
    """
    figure, axes = canvas.subplots(
        1,
        4,
        figsize=(12, 0.62 * len(rows) + 1.9),
        width_ratios=(1.5, 1, 1, 1.3),
        sharey=True,
    )
    scores, parameters, macs, times = axes
    for position, row in enumerate(rows):
        has_ensemble = len(row.ensemble) > 0
        _score(scores, position - 0.17 * has_ensemble, row.main, style.BLUE, "o")
        _score(scores, position + 0.17 * has_ensemble, row.ensemble, style.ORANGE, "D")
        _bar(parameters, position, row.parameters / 1e6, style.GREY)
        _bar(macs, position, row.macs / 1e9, style.GREY)
        has_two_times = row.ensemble_ms is not None
        _bar(times, position - 0.18 * has_two_times, row.main_ms, style.BLUE, height=0.34)
        if row.ensemble_ms is not None:
            _bar(times, position + 0.18, row.ensemble_ms, style.ORANGE, height=0.34)
    for panel, (heading, unit) in zip(
        axes,
        (
            ("score", y_label),
            ("parameters", "millions"),
            ("multiply-accumulates", "billions"),
            ("inference time", "ms"),
        ),
        strict=True,
    ):
        panel.set_title(heading, fontsize=10)
        panel.set_xlabel(unit)
        panel.grid(axis="x", alpha=0.3)
        panel.set_axisbelow(True)
        panel.margins(x=0.24)
        panel.locator_params(axis="x", nbins=6 if panel is scores else 4)
        panel.tick_params(axis="y", length=0)
        style.remove_frame(panel)
    scores.set_yticks(range(len(rows)), [style.wrapped(row.name, 24) for row in rows], **NO_MATH)
    scores.set_ylim(len(rows) - 0.45, -0.55)
    style.write_title(figure, title)
    handles = [Patch(color=style.BLUE, label="main"), Patch(color=style.ORANGE, label="ensemble")]
    ensembles = any(len(row.ensemble) or row.ensemble_ms is not None for row in rows)
    figure.legend(
        handles=handles if ensembles else handles[:1],
        title=f"scores: {style.OVER_RUNS}; their axis does not start at 0",
        title_fontsize=8,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    canvas.save(figure, target, dpi=style.DPI)


def _score(
    axes: Axes,
    position: float,
    scores: Sequence[float],
    colour: tuple[float, ...],
    marker: str,
) -> None:
    if not len(scores):
        return
    mean, deviation = statistics.fmean(scores), style.deviation(scores)
    axes.errorbar(mean, position, xerr=deviation, fmt=marker, color=colour, markersize=6, capsize=3)
    _annotate_right(axes, mean + (deviation or 0), position, f"{mean:.2f}")


def _bar(
    axes: Axes, position: float, value: float, colour: str | tuple[float, ...], height: float = 0.5
) -> None:
    axes.barh(position, value, height=height, color=colour)
    _annotate_right(axes, value, position, f"{value:,.0f}" if value >= 100 else f"{value:.3g}")


def _annotate_right(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(
        text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5
    )
