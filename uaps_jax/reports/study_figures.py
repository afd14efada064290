"""The figures of a study: curves over a number, ablations, decoders, segmented images."""

from __future__ import annotations

import dataclasses
import math
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from datasets.plain_text import shown
from uaps_jax.inference import palette
from uaps_jax.reports.plain import PLAIN, as_plain

matplotlib.use("Agg")

# Okabe and Ito's colours without the yellow that is lost on white, the strongest contrasts first.
_COLOURS = [tuple((palette.COLOURS[i] / 255).tolist()) for i in (7, 5, 1, 4, 3, 2, 0, 9)]
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_STYLES = ("-", "--", ":", "-.")
_BLUE, _ORANGE, _GREY = _COLOURS[0], _COLOURS[3], "0.6"
_DPI = 130
_HIGHEST_DPI = 240
_OVER_SEEDS = "mean over the seeds; whiskers: sample standard deviation, none for a single seed"


def lines(
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
    figure, axes = pyplot.subplots(figsize=(7.5, 4.8), layout="constrained")
    drawn = {
        name: sorted((x, tuple(scores)) for x, scores in points if len(scores))
        for name, points in series.items()
    }
    for index, (name, points) in enumerate(drawn.items()):
        axes.errorbar(
            [x for x, _ in points],
            [statistics.fmean(scores) for _, scores in points],
            yerr=np.array([_deviation(scores) for _, scores in points], float),
            label=_wrapped(name, 30),
            color=_COLOURS[index % len(_COLOURS)],
            marker=_MARKERS[index % len(_MARKERS)],
            linestyle=_STYLES[index // len(_COLOURS) % len(_STYLES)],
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
    _frame(axes)
    _headings(figure, axes, title, _OVER_SEEDS)
    legend = figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=9, handlelength=3.2
    )
    as_plain(legend.get_texts())
    _save(figure, target)


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


def bars(title: str, y_label: str, values: Mapping[str, Sequence[float]], target: Path) -> None:
    """Mean scores side by side, with standard deviations as whiskers and the means as numbers.

    Bars stand on 0, where the smallest mean is at most half the largest. Closer means would look
    alike: they are points on an axis that is cut to their range, which the figure says.

    Args:
      title: over the figure.
      y_label: of the vertical axis, with its unit.
      values: name -> scores of the seeds, from left to right; a name without any is kept.
      target: the PNG to write.
    """
    figure, axes = pyplot.subplots(
        figsize=(max(5.5, 1.0 * len(values) + 1.2), 4.6), layout="constrained"
    )
    means = {name: statistics.fmean(scores) for name, scores in values.items() if len(scores)}
    close = bool(means) and min(means.values()) > 0.5 * max(means.values())
    for place, (name, scores) in enumerate(values.items()):
        if name not in means:
            axes.annotate(
                "no score",
                (place, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                color="0.35",
                fontsize=9,
            )
            continue
        if not close:
            axes.bar(place, means[name], width=0.62, color=_BLUE, alpha=0.75)
        axes.errorbar(
            place,
            means[name],
            yerr=_deviation(scores),
            fmt="o" if close else "none",
            color=_BLUE,
            ecolor=_BLUE if close else "0.15",
            markersize=7,
            elinewidth=1.3,
            capsize=5,
        )
        if len(scores) > 1:
            beside = np.full(len(scores), place + 0.2)
            axes.plot(beside, scores, "o", color="0.35", markersize=3, markerfacecolor="white")
        top = max(means[name] + (_deviation(scores) or 0), *scores, 0 if not close else -np.inf)
        axes.annotate(
            f"{means[name]:.2f}",
            (place, top),
            xytext=(0, 5 if len(scores) > 1 or not close else 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set(ylabel=y_label, xlim=(-0.6, len(values) - 0.4))
    labels = [_wrapped(name, 13) for name in values]
    axes.set_xticks(range(len(values)), labels, fontsize=8.5, **PLAIN)
    axes.margins(y=0.14)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    _frame(axes)
    circles = "; small circles: the seeds" if any(len(s) > 1 for s in values.values()) else ""
    cut = "; the axis does not start at 0" if close else ""
    _headings(figure, axes, title, _OVER_SEEDS + circles + cut)
    _save(figure, target)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderRow:
    """One network of the comparison of decoders.

    Attributes:
      name: what it is called.
      main: scores of the main decoder, one a seed.
      ensemble: scores of all decoders together; empty where there is one decoder.
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


def decoders(title: str, y_label: str, rows: Sequence[DecoderRow], target: Path) -> None:
    """What decoders cost and gain: three panels, with the networks one below the other.

    Scores of the main decoder and of the ensemble, as points on an axis that is cut to their
    range; parameters and multiply-accumulates, on an axis each; inference times.

    Args:
      title: over the figure.
      y_label: of the scores, with their unit.
      rows: the networks, from top to bottom.
      target: the PNG to write.
    """
    figure, axes = pyplot.subplots(
        1,
        4,
        figsize=(12, 0.62 * len(rows) + 1.9),
        width_ratios=(1.5, 1, 1, 1.3),
        sharey=True,
        layout="constrained",
    )
    scores, parameters, macs, times = axes
    for place, row in enumerate(rows):
        both = len(row.ensemble) > 0
        _score(scores, place - 0.17 * both, row.main, _BLUE, "o")
        _score(scores, place + 0.17 * both, row.ensemble, _ORANGE, "D")
        _length(parameters, place, row.parameters / 1e6, _GREY)
        _length(macs, place, row.macs / 1e9, _GREY)
        timed = row.ensemble_ms is not None
        _length(times, place - 0.18 * timed, row.main_ms, _BLUE, height=0.34)
        if row.ensemble_ms is not None:
            _length(times, place + 0.18, row.ensemble_ms, _ORANGE, height=0.34)
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
        _frame(panel)
    scores.set_yticks(range(len(rows)), [_wrapped(row.name, 24) for row in rows], **PLAIN)
    scores.set_ylim(len(rows) - 0.45, -0.55)
    _title(figure, title)
    handles = [Patch(color=_BLUE, label="main"), Patch(color=_ORANGE, label="ensemble")]
    ensembles = any(len(row.ensemble) or row.ensemble_ms is not None for row in rows)
    figure.legend(
        handles=handles if ensembles else handles[:1],
        title=f"scores: {_OVER_SEEDS}; their axis does not start at 0",
        title_fontsize=8,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    _save(figure, target)


def _score(
    axes: Axes,
    place: float,
    scores: Sequence[float],
    colour: tuple[float, ...],
    marker: str,
) -> None:
    if not len(scores):
        return
    mean, deviation = statistics.fmean(scores), _deviation(scores)
    axes.errorbar(mean, place, xerr=deviation, fmt=marker, color=colour, markersize=6, capsize=3)
    _beside(axes, mean + (deviation or 0), place, f"{mean:.2f}")


def _length(
    axes: Axes, place: float, value: float, colour: str | tuple[float, ...], height: float = 0.5
) -> None:
    axes.barh(place, value, height=height, color=colour)
    _beside(axes, value, place, f"{value:,.0f}" if value >= 100 else f"{value:.3g}")


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(
        text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5
    )


def panels(
    title: str,
    images: np.ndarray,
    truths: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    names: Sequence[str],
    class_names: Sequence[str],
    target: Path,
) -> None:
    """The same images segmented by several entries: a row an image, a column an entry.

    Args:
      title: over the figure.
      images: uint8 `[N, H, W, 1 or 3]`.
      truths: class ids `[N, H, W]`; 255 is not labeled.
      predictions: entry -> class ids `[N, H, W]`, from left to right.
      names: of the images.
      class_names: background first.
      target: the PNG to write.

    Raises:
      ValueError: where there is no image, or masks or names do not fit the images.
    """
    masks = [truths, *predictions.values()]
    if not (len(images) == len(names) > 0) or any(m.shape != images.shape[:3] for m in masks):
        raise ValueError(
            f"images {images.shape} do not fit {len(names)} names and masks "
            f"{', '.join(str(mask.shape) for mask in masks)}"
        )
    headings = [_wrapped(name, 15) for name in ("image", "truth", *predictions)]
    labels = [_wrapped(name, 18) for name in names]
    columns, classes = len(headings), _classes(class_names)
    side = 1.3  # inches
    height = min(side * images.shape[1] / images.shape[2], 2.0)
    # A pixel of an image gets one of the picture, so that thin defects stay, up to a limit.
    density = 1.15 * max(images.shape[1] / height, images.shape[2] / side)
    interpolation = "nearest" if density <= _HIGHEST_DPI else "antialiased"
    text_lines = max(text.count("\n") for text in headings)
    legend_lines = math.ceil(len(classes) / columns)
    figure, axes = pyplot.subplots(
        len(images),
        columns,
        figsize=(
            side * columns + 0.3 + 0.06 * max(len(s) for t in labels for s in t.split("\n")),
            height * len(images) + 0.7 + 0.14 * text_lines + 0.2 * legend_lines,
        ),
        squeeze=False,
        layout="constrained",
    )
    for row, image in enumerate(images):
        pictures = (
            np.broadcast_to(image, (*image.shape[:2], 3)),
            *(palette.overlay(image, mask[row]) for mask in masks),
        )
        for axis, picture in zip(axes[row], pictures, strict=True):
            axis.imshow(picture, interpolation=interpolation)
            axis.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(
            labels[row], fontsize=7, rotation=0, ha="right", va="center", **PLAIN
        )
    for axis, heading in zip(axes[0], headings, strict=True):
        axis.set_title(heading, fontsize=8.5, **PLAIN)
    _title(figure, title)
    legend = figure.legend(
        handles=classes, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    as_plain(legend.get_texts())
    _save(figure, target, dpi=min(max(_DPI, density), _HIGHEST_DPI))


def _classes(class_names: Sequence[str]) -> list[Patch]:
    colours = palette.colour(np.arange(len(class_names))[None])[0] / 255
    return [
        Patch(color=colours[label], label=shown(name))
        for label, name in enumerate(class_names)
        if label
    ]


def _deviation(scores: Sequence[float]) -> float | None:
    """Sample standard deviation, or nothing to draw for a single score."""
    return statistics.stdev(scores) if len(scores) > 1 else None


def _wrapped(text: str, width: int) -> str:
    """The text in lines of at most so many characters, a parenthesis on a line of its own."""
    text = shown(text)
    parts = [text] if len(text) <= width else text.replace(" (", "\n(").splitlines()
    return "\n".join(textwrap.fill(part, width) for part in parts)


def _title(figure: Figure, title: str) -> None:
    text = textwrap.fill(title, int(8 * figure.get_figwidth()))
    figure.suptitle(text, fontweight="bold", **PLAIN)


def _headings(figure: Figure, axes: Axes, title: str, note: str) -> None:
    _title(figure, title)
    axes.set_title(textwrap.fill(note, int(14 * figure.get_figwidth())), fontsize=8, color="0.35")


def _frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, target: Path, dpi: float = _DPI) -> None:
    figure.savefig(target, dpi=dpi)
    pyplot.close(figure)
