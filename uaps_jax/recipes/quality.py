"""How good pseudo-labels are, on those of their images that have a mask."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from absl import logging

from uaps_jax.config import DataConfig
from uaps_jax.data import prepare
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import read_mask
from uaps_jax.evaluation import metrics
from uaps_jax.training.workdir import finite_or_none

SHOWN = ("dataset_iou", "dataset_iou_foreground", "image_iou", "pixel_accuracy")


def quality(
    labels: Iterable[tuple[str, np.ndarray]], dataset: Dataset, data: DataConfig
) -> dict[str, Any] | None:
    """The scores of pseudo-labels by `metrics.scores`; None if none of the images has a mask.

    Args:
      labels: names and class ids `[H, W]` at the size of the network's input.
      dataset: has the masks.
      data: the settings of that size.
    """
    classes = len(dataset.class_names)
    confusions = []
    for name, label in labels:
        if name in dataset.masked:
            part, index = dataset.position[name]
            truth = prepare.mask(read_mask(dataset.records[part][index]["mask"]), data)
            confusions.append(metrics.confusion(truth, label, classes))
    if not confusions:
        return None
    scores = metrics.scores(np.stack(confusions), dataset.class_names)
    return {name: finite_or_none(value) for name, value in scores.items()}


def to_json(found: Mapping[str, Any] | None) -> str:
    return json.dumps(found, indent=1) + "\n"


def log(what: str, scores: Mapping[str, Any] | None) -> None:
    """Logs the quality of some pseudo-labels."""
    if scores is None:
        logging.info("%s: none of the images has a mask to compare with", what)
        return
    shown = ", ".join(f"{name} {scores[name]:.2f}" for name in SHOWN if scores[name] is not None)
    logging.info("%s, against %d masks, in percent: %s", what, scores["images"], shown)
