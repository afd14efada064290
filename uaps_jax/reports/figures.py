"""The figures of a training: its curves and its contact sheet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, SymmetricalLogLocator

from uaps_jax import palette
from uaps_jax.data.source import Pool
from uaps_jax.datasets.plain_text import shown
from uaps_jax.inference.pools import Predictions
from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH, disable_math

WARNING = "#b3400a"
MAX_WARNINGS = 8
"""The largest number of warnings that are written under the curves."""
LINEAR_BELOW = 1e-2
"""Between this and its negative, a logarithmic axis is linear."""
WIDE_RANGE = 20
"""Values are on a logarithmic axis if the largest is more than so many times the smallest."""
NAME_LENGTH = 24
"""Characters of a line of a name beside a row of the contact sheet."""
NAME_LINES = 3
NOT_DRAWN = {
    f"train/{name}"
    for name in (
        "learning_rate",
        "gradient_norm",
        "state_norm",
        "steps_per_second",
        "waiting_for_data",
    )
}

DRAWN_ALWAYS = ("val/image_iou", "val/image_dice", "val/dataset_iou")
DRAWN_WITH_GOOD_IMAGES = ("val/clean_image_false_positive_rate", "val/auroc")
"""Validation scores that there are with images without a defect only."""


def curves(metrics: Path, target: Path) -> None:
    """Draws losses, validation scores and warnings over the steps.

    Args:
      metrics: `metrics.jsonl` of a run.
      target: the PNG to write.
    """
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    figure, (left, right) = canvas.subplots(1, 2, figsize=(11, 4))
    names = sorted({n for r in records for n in r if n.startswith("train/")} - NOT_DRAWN)
    for name in names:
        left.plot(*_series(records, name), label=name.removeprefix("train/"), linewidth=1)
    left.set(xlabel="step", title="training, labeled and unlabeled batch")
    _scale(left)
    for name in DRAWN_ALWAYS:
        right.plot(*_series(records, name), label=name.removeprefix("val/"), marker=".")
    for name in DRAWN_WITH_GOOD_IMAGES:
        steps, values = _series(records, name)
        if steps:
            right.plot(steps, values, label=name.removeprefix("val/"), marker=".", linestyle=":")
    right.set(xlabel="step", ylabel="percent", title="validation")
    for axes in (left, right):
        if axes.get_lines():
            disable_math(axes.legend(frameon=False).get_texts())
        axes.grid(alpha=0.3)
    warnings = [record for record in records if "warning" in record]
    for record in warnings:
        right.axvline(record["step"], color=WARNING, linewidth=1, linestyle="--")
    lines = [f"step {record['step']}, {record['warning']}" for record in warnings[:MAX_WARNINGS]]
    if len(warnings) > MAX_WARNINGS:
        lines.append(f"and {len(warnings) - MAX_WARNINGS} more")
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=9, color=WARNING, ha="left", x=0.01, **NO_MATH)
    canvas.save(figure, target, dpi=110)


def _scale(axes: Axes) -> None:
    """Makes the vertical axis logarithmic (linear around 0) where its values span a wide range.

    It has labels at 1, 2 and 5 times each power of ten, so that at least three are in the range.
    """
    values = np.abs(np.concatenate([[], *(line.get_ydata() for line in axes.lines)]))
    large = values[values > LINEAR_BELOW]
    if len(large) and large.max() > WIDE_RANGE * large.min():
        axes.set_yscale("symlog", linthresh=LINEAR_BELOW)
        locator = SymmetricalLogLocator(base=10, linthresh=LINEAR_BELOW, subs=(1, 2, 5))
        axes.yaxis.set_major_locator(locator)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _series(records: Sequence[dict[str, float]], name: str) -> tuple[list[float], list[float]]:
    points = [(r["step"], r[name]) for r in records if r.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]


def _in_lines(name: str) -> str:
    """A name in lines that are not longer than a row of the contact sheet is high.

    Of a name that needs too many lines, the middle is left out.
    """
    most = NAME_LINES * NAME_LENGTH
    if len(name) > most:
        half = (most - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    starts = range(0, len(name), NAME_LENGTH)
    return "\n".join(name[start : start + NAME_LENGTH] for start in starts)


def contact_sheet(
    pool: Pool, predictions: Predictions, class_names: Sequence[str], target: Path
) -> None:
    """Draws image, truth, prediction, errors and uncertainty, a row an image.

    Args:
      pool: images and masks.
      predictions: of the pool.
      class_names: background first.
      target: the PNG to write.
    """
    columns = (
        "image",
        "truth",
        "prediction",
        "errors",
        f"uncertainty\n({predictions.kind.name})",
    )
    figure, axes = canvas.subplots(
        len(pool.names),
        len(columns),
        figsize=(1.75 * len(columns) + 0.7, 1.75 * len(pool.names) + 0.9),
        squeeze=False,
    )
    highest = max(float(np.quantile(predictions.uncertainty, 0.995)), 1e-6)
    for row, name in enumerate(pool.names):
        image, truth, mask = pool.images[row], pool.masks[row], predictions.masks[row]
        pictures = (
            np.broadcast_to(image, (*image.shape[:2], 3)),
            palette.overlay(image, truth),
            palette.overlay(image, mask),
            palette.errors(truth, mask),
        )
        for column, picture in enumerate(pictures):
            axes[row, column].imshow(picture, interpolation="nearest")
        uncertainty = axes[row, -1].imshow(
            predictions.uncertainty[row], cmap="inferno", vmin=0, vmax=highest
        )
        axes[row, 0].set_ylabel(_in_lines(shown(name)), fontsize=7, **NO_MATH)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.colorbar(
        uncertainty, ax=axes, label=predictions.kind.unit, shrink=0.3, aspect=30, pad=0.01
    )
    classes = [
        Patch(
            color=palette.COLOURS[(i - 1) % (len(palette.COLOURS) - 1) + 1] / 255,
            label=shown(name),
        )
        for i, name in enumerate(class_names)
        if i
    ]
    errors = [
        Patch(facecolor=colour, edgecolor="grey", label=label)
        for label, colour in (
            ("correct", "white"),
            ("missed", "#d73027"),
            ("false positive", "#4575b4"),
            ("wrong class", "#fee04c"),
        )
    ]
    legend = figure.legend(
        handles=classes + errors, loc="outside lower center", ncols=5, frameon=False, fontsize=8
    )
    disable_math(legend.get_texts())
    canvas.save(figure, target, dpi=120)
