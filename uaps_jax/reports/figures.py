"""The figures of a training: its curves and its contact sheet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

from uaps_jax import palette
from uaps_jax.data import order
from uaps_jax.data.source import Pool
from uaps_jax.datasets.plain_text import shown
from uaps_jax.inference.pools import Predictions
from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH, disable_math

WARNING = "#b3400a"
MAX_WARNINGS = 8
"""The largest number of warnings that are written under the curves."""
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
    left.set(xlabel="step", title="training, labeled and unlabeled batch", yscale="symlog")
    left.set_yscale("symlog", linthresh=1e-2)
    for name in DRAWN_ALWAYS:
        right.plot(*_series(records, name), label=name.removeprefix("val/"), marker=".")
    for name in DRAWN_WITH_GOOD_IMAGES:
        steps, values = _series(records, name)
        if steps:
            right.plot(steps, values, label=name.removeprefix("val/"), marker=".", linestyle=":")
    right.set(xlabel="step", ylabel="percent", title="validation")
    for axes in (left, right):
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


def _series(records: Sequence[dict[str, float]], name: str) -> tuple[list[float], list[float]]:
    points = [(r["step"], r[name]) for r in records if r.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]


def contact_sheet(
    pool: Pool, predictions: Predictions, class_names: Sequence[str], target: Path, *, rows: int
) -> None:
    """Draws image, truth, prediction, errors and uncertainty, a row an image.

    Args:
      pool: images and masks.
      predictions: of the whole pool.
      class_names: background first.
      target: the PNG to write.
      rows: number of images, spread evenly over the pool; all of them if it has fewer.
    """
    chosen = order.evenly_spaced(len(pool.names), rows)
    columns = (
        "image",
        "truth",
        "prediction",
        "errors",
        f"uncertainty\n({predictions.uncertainty_name})",
    )
    figure, axes = canvas.subplots(
        len(chosen),
        len(columns),
        figsize=(1.75 * len(columns) + 0.7, 1.75 * len(chosen) + 0.9),
        squeeze=False,
    )
    highest = max(float(np.quantile(predictions.uncertainty[chosen], 0.995)), 1e-6)
    for row, index in enumerate(chosen):
        image, truth, mask = pool.images[index], pool.masks[index], predictions.masks[index]
        pictures = (
            np.broadcast_to(image, (*image.shape[:2], 3)),
            palette.overlay(image, truth),
            palette.overlay(image, mask),
            palette.errors(truth, mask),
        )
        for column, picture in enumerate(pictures):
            axes[row, column].imshow(picture, interpolation="nearest")
        uncertainty = axes[row, -1].imshow(
            predictions.uncertainty[index], cmap="inferno", vmin=0, vmax=highest
        )
        axes[row, 0].set_ylabel(shown(pool.names[index]), fontsize=7, **NO_MATH)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.colorbar(uncertainty, ax=axes, label="nats", shrink=0.3, aspect=30, pad=0.01)
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
