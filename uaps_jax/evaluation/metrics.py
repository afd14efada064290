"""The metrics, as functions of per-image confusion matrices `[N, C, C]` (truth, prediction).

Every score is in percent. `image_iou` and `image_dice` are UAPS's mIoU and mDice; most other papers
report `dataset_iou` as mIoU.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uaps_jax.evaluation import binary
from uaps_jax.labels import IGNORE

EPSILON = 1e-10
NO_OVERLAP = 200 * EPSILON
"""No score in percent that `EPSILON` alone makes positive is larger."""


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix int64 `[C, C]` of an image; pixels with 255 in either do not count."""
    known = (truth != IGNORE) & (prediction != IGNORE)
    pairs = truth[known].astype(np.int64) * classes + prediction[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def overlap_per_image(confusions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU and Dice `[N, C]` of every image and class; NaN where the truth lacks the class.

    (|P and G| + 1e-10) / (|P or G| + 1e-10), and 2 (|P and G| + 1e-10) / (|P| + |G| + 1e-10)
    (UAPS, released code).
    """
    confusions = confusions.astype(np.float64)
    both = np.diagonal(confusions, axis1=1, axis2=2)
    truth, predicted = confusions.sum(2), confusions.sum(1)
    iou = (both + EPSILON) / (truth + predicted - both + EPSILON)
    dice = 2 * (both + EPSILON) / (truth + predicted + EPSILON)
    absent = truth == 0
    return np.where(absent, np.nan, iou), np.where(absent, np.nan, dice)


def scores(confusions: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """All metrics of one evaluation.

    * `image_iou`, `image_dice`: per image the mean over the foreground classes in its truth, then
      the mean over images. Images without a defect have no score and are counted separately.
    * `dataset_iou`: mean IoU over all classes, background included, of one confusion matrix;
      `dataset_iou_foreground` its mean over the defect classes. Classes in neither truth nor
      prediction are left out.
    * `pixel_accuracy`: over all labeled pixels.
    * `clean_image_false_positive_rate`: percentage of the images without a defect in which at
      least one pixel is predicted as a defect.
    * `image_iou/<class>` (mean over the images with this class) and `dataset_iou/<class>`.

    Args:
      confusions: integer `[N, C, C]`, ignored pixels left out.
      class_names: background first.

    Returns:
      Name to value; NaN if no image or class contributes.
    """
    iou, dice = overlap_per_image(confusions)
    defective = confusions[:, 1:].sum((1, 2)) > 0
    total = confusions.sum(0).astype(np.float64)
    both, union = np.diagonal(total), total.sum(0) + total.sum(1) - np.diagonal(total)
    dataset_iou = np.where(union > 0, both / np.maximum(union, 1), np.nan)
    clean = confusions[~defective]
    alarms = clean[:, 0, 1:].sum(1) > 0
    values = {
        "image_iou": mean(_row_means(iou[defective, 1:])),
        "image_dice": mean(_row_means(dice[defective, 1:])),
        "dataset_iou": mean(dataset_iou),
        "dataset_iou_foreground": mean(dataset_iou[1:]),
        "pixel_accuracy": both.sum() / total.sum() if total.sum() else np.nan,
        "clean_image_false_positive_rate": mean(alarms.astype(np.float64)),
    }
    for index, name in enumerate(class_names):
        if index:
            values[f"image_iou/{name}"] = mean(iou[:, index])
        values[f"dataset_iou/{name}"] = dataset_iou[index]
    percent = {name: 100 * float(value) for name, value in values.items()}
    return percent | {
        "images": len(confusions),
        "images_without_defect": int((~defective).sum()),
    }


def growing(class_names: Sequence[str]) -> list[str]:
    """The names of the scores of which a higher value is better."""
    none = np.zeros((0, len(class_names), len(class_names)), np.int64)
    others = ("images", "images_without_defect", "clean_image_false_positive_rate")
    own = binary.NAMES if len(class_names) == 2 else ()
    return [*(name for name in scores(none, class_names) if name not in others), *own]


def mean(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _row_means(values: np.ndarray) -> np.ndarray:
    return np.array([mean(row) for row in values])
