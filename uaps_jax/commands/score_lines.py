"""The scores of an evaluation as lines of text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from uaps_jax.evaluation import binary
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_level import Count, Judged
from uaps_jax.evaluation.intervals import Interval

PIXEL_SCORES = (
    "image_iou",
    "image_dice",
    "dataset_iou",
    "dataset_iou_foreground",
    "pixel_accuracy",
    "clean_image_false_positive_rate",
)
PIXEL_SCORES_BY_CLASS = ("image_iou", "dataset_iou")


def of_pixels(scores: Mapping[str, Any], confusions: np.ndarray) -> list[str]:
    """The scores of the pixels, in percent, and how many images they are of.

    Args:
      scores: of `evaluate.scores`.
      confusions: `[N, C, C]`.
    """
    by_class = [name for name in scores if name.partition("/")[0] in PIXEL_SCORES_BY_CLASS]
    of_one_class = [name for name in binary.NAMES if name in scores]
    names = [*PIXEL_SCORES, *of_one_class, *(name for name in by_class if "/" in name)]
    without = int(scores["images_without_defect"])
    lines = ["  of the pixels, in percent:"]
    lines += [f"    {name:32s} {scores[name]:6.2f}" for name in names]
    lines.append(f"    {int(scores['images'])} images, {without} of them without a defect")
    if not confusions[:, :, 1:].any() and without < len(confusions):
        lines.append(
            f"    The model predicts no defect in any of these images, though "
            f"{len(confusions) - without} of them have one: pixel_accuracy is the share of the "
            "background."
        )
    return lines


def of_images(
    scores: Mapping[str, Any],
    decision: Decision | None,
    judged: Judged | None,
    *,
    set_on_these: bool,
) -> list[str]:
    """The figures of the images as a whole; none where they are not known.

    Args:
      scores: of `evaluate.scores` and `image_level.separation_by_class`.
      decision: that was set on the validation images; None if there is none.
      judged: its verdicts.
      set_on_these: whether it was set on the images that it judges here.
    """
    lines = []
    if decision is not None and judged is not None:
        lines += [
            f"  of the images, judged by a threshold of {decision.threshold:.4g}, which was set on "
            f"{decision.good} good and {decision.defective} defective validation images for "
            f"{decision.target.words()}:",
            _counted("found", judged.found),
            _counted("false alarms", judged.false_alarms),
        ]
    elif not math.isnan(scores["auroc"]):
        lines.append("  of the images:")
    if not math.isnan(scores["auroc"]):
        interval = "" if judged is None else _interval(judged.auroc_interval)
        lines.append(f"    {'AUROC':37s} {scores['auroc']:6.2f} %{interval}")
        lines.append(f"    {'average precision':37s} {scores['average_precision']:6.2f} %")
    if judged is not None:
        lines += [
            _counted(f"found, with {name}", count)
            + ("" if math.isnan(auroc := scores[f"auroc/{name}"]) else f", AUROC {auroc:.2f} %")
            for name, count in judged.of_class.items()
            if count.of
        ]
        lines += [
            _counted("leakage groups found", judged.groups_found),
            _counted("leakage groups alarmed", judged.groups_alarmed),
        ]
        if set_on_these:
            lines.append("    The threshold was set on these images: expect worse of others.")
    return lines


def _counted(name: str, count: Count) -> str:
    """A line such as `found  18 of 20  90.00 % (75.0 to 100.0)`."""
    shown = f"{count.counted} of {count.of}"
    if not count.of:
        return f"    {name:24s} {shown:>12s}"
    return f"    {name:24s} {shown:>12s} {count.rate:6.2f} %{_interval(count.interval)}"


def _interval(interval: Interval) -> str:
    low, high = interval
    return "" if math.isnan(low) else f"  (95 %: {low:.1f} to {high:.1f})"
