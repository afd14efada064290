"""The figures of a run: its curves and its contact sheet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

from uaps_jax.data import order
from uaps_jax.data.source import Pool
from uaps_jax.datasets.plain_text import shown
from uaps_jax.inference import palette
from uaps_jax.inference.pools import Predictions
from uaps_jax.reports import canvas
from uaps_jax.reports.plain import PLAIN, as_plain

WARNING = "#b3400a"
WARNINGS = 8
"""So many are written under the curves."""


def curves(metrics: Path, target: Path) -> None:
    """Losses, validation scores and warnings over the steps, from a run's `metrics.jsonl`."""
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    figure, (left, right) = canvas.subplots(1, 2, figsize=(11, 4))
    hidden = {
        f"train/{name}"
        for name in (
            "learning_rate",
            "gradient_norm",
            "state_norm",
            "steps_per_second",
            "waiting_for_data",
        )
    }
    names = sorted({n for r in records for n in r if n.startswith("train/")} - hidden)
    for name in names:
        left.plot(*_series(records, name), label=name.removeprefix("train/"), linewidth=1)
    left.set(xlabel="step", title="training, labeled and unlabeled batch", yscale="symlog")
    left.set_yscale("symlog", linthresh=1e-2)
    for name in ("val/image_iou", "val/image_dice", "val/dataset_iou"):
        right.plot(*_series(records, name), label=name.removeprefix("val/"), marker=".")
    right.set(xlabel="step", ylabel="percent", title="validation")
    for axes in (left, right):
        as_plain(axes.legend(frameon=False).get_texts())
        axes.grid(alpha=0.3)
    warned = [record for record in records if "warning" in record]
    for record in warned:
        right.axvline(record["step"], color=WARNING, linewidth=1, linestyle="--")
    lines = [f"step {record['step']}, {record['warning']}" for record in warned[:WARNINGS]]
    lines += [f"and {len(warned) - WARNINGS} more"] * (len(warned) > WARNINGS)
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=9, color=WARNING, ha="left", x=0.01, **PLAIN)
    canvas.save(figure, target, dpi=110)


def _series(records: Sequence[dict[str, float]], name: str) -> tuple[list[float], list[float]]:
    points = [(r["step"], r[name]) for r in records if r.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]


def contact_sheet(
    pool: Pool, predictions: Predictions, class_names: Sequence[str], target: Path, *, rows: int
) -> None:
    """Image, truth, prediction, errors and uncertainty of images spread evenly over a pool."""
    chosen = order.evenly(len(pool.names), rows)
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
    ceiling = max(float(np.quantile(predictions.uncertainty[chosen], 0.995)), 1e-6)
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
        heat = axes[row, -1].imshow(
            predictions.uncertainty[index], cmap="inferno", vmin=0, vmax=ceiling
        )
        axes[row, 0].set_ylabel(shown(pool.names[index]), fontsize=7, **PLAIN)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.colorbar(heat, ax=axes, label="nats", shrink=0.3, aspect=30, pad=0.01)
    classes = [
        Patch(
            color=palette.COLOURS[(i - 1) % (len(palette.COLOURS) - 1) + 1] / 255,
            label=shown(name),
        )
        for i, name in enumerate(class_names)
        if i
    ]
    kinds = (("right", "white"), ("missed", "#d73027"), ("invented", "#4575b4"))
    mistakes = [
        Patch(facecolor=fill, edgecolor="grey", label=label)
        for label, fill in (*kinds, ("wrong class", "#fee04c"))
    ]
    legend = figure.legend(
        handles=classes + mistakes, loc="outside lower center", ncols=5, frameon=False, fontsize=8
    )
    as_plain(legend.get_texts())
    canvas.save(figure, target, dpi=120)
