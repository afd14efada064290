"""The scores of an evaluation image by image, as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from uaps_jax.evaluation import decision as decision_lib
from uaps_jax.evaluation import image_level, metrics
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.evaluate import Measured


def table(
    names: Sequence[str],
    groups: Sequence[int],
    measured: Measured,
    class_names: Sequence[str],
    decision: Decision | None,
) -> str:
    """CSV with a row for each image, in their order; what is not known is empty.

    `group` is the leakage group, `truth` "good" or "defective", `verdict` "OK" or "not OK",
    `image_iou` and `image_dice` the means over the defect classes of the truth, in percent, and,
    for each defect class, `image_iou/<class>`, and the labeled pixels that have it in the truth and
    in the prediction, `truth_px/<class>` and `predicted_px/<class>`.

    Args:
      names: of the images, `[N]`.
      groups: likewise; negative where unknown.
      measured: of the images.
      class_names: background first.
      decision: judges the scores; None for no verdicts.
    """
    truth = image_level.truth(measured.confusions)
    iou, dice = metrics.overlap_per_image(measured.confusions)
    in_truth, in_prediction = measured.confusions.sum(2), measured.confusions.sum(1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    kinds = ("image_iou", "truth_px", "predicted_px")
    of_classes = [f"{kind}/{name}" for name in class_names[1:] for kind in kinds]
    head = ("image", "group", "truth", "score", "verdict", "image_iou", "image_dice")
    writer.writerow([*head, *of_classes])
    for row, name in enumerate(names):
        score = float(measured.image_scores[row])
        values: list[str | int | float] = [name, "" if groups[row] < 0 else groups[row]]
        known = "good" if truth.is_good[row] else ""
        values.append("defective" if truth.is_defective[row] else known)
        not_ok = None if decision is None else decision.is_not_ok(score)
        values += [f"{score:.6g}", decision_lib.verdict(not_ok)]
        values += [_percent(metrics.mean(of_image[row, 1:])) for of_image in (iou, dice)]
        for label in range(1, len(class_names)):
            values += [_percent(iou[row, label])]
            values += [int(in_truth[row, label]), int(in_prediction[row, label])]
        writer.writerow(values)
    return text.getvalue()


def _percent(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.2f}"
