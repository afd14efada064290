"""Figures of images as a whole: how they are ranked by their scores, and judged by a decision.

Every rate is in percent. An image is defective if its mask has a defect pixel, and good if it has
labeled pixels and none of a defect; an image without any labeled pixel is neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uaps_jax.evaluation import intervals, ranking
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of images.

    Attributes:
      classes: bool `[N, C]`, the classes in the mask of each; background first.
      is_defective: bool `[N]`.
      is_good: bool `[N]`.
    """

    classes: np.ndarray
    is_defective: np.ndarray
    is_good: np.ndarray


def truth(confusions: np.ndarray) -> Truth:
    """The truth in confusion matrices `[N, C, C]` (truth, prediction)."""
    classes = confusions.sum(2) > 0
    is_defective = classes[:, 1:].any(1)
    return Truth(classes=classes, is_defective=is_defective, is_good=classes.any(1) & ~is_defective)


def separation(scores: np.ndarray, truth: Truth) -> dict[str, float]:
    """`auroc` and `average_precision` of defective against good images; NaN without both."""
    known = truth.is_good | truth.is_defective
    both = truth.is_good.any() and truth.is_defective.any()
    pair = scores[known], truth.is_defective[known]
    nan = float("nan")
    return {
        "auroc": 100 * ranking.auroc(*pair),
        "average_precision": 100 * ranking.average_precision(*pair) if both else nan,
    }


def separation_by_class(
    scores: np.ndarray, truth: Truth, class_names: Sequence[str]
) -> dict[str, float]:
    """`auroc/<class>`, `average_precision/<class>`: images with a class against the good ones."""
    values = {}
    for label, name in enumerate(class_names[1:], start=1):
        chosen = truth.is_good | truth.classes[:, label]
        of_class = Truth(
            classes=truth.classes[chosen],
            is_defective=truth.classes[chosen, label],
            is_good=truth.is_good[chosen],
        )
        for metric, value in separation(scores[chosen], of_class).items():
            values[f"{metric}/{name}"] = value
    return values


@dataclass(frozen=True, kw_only=True)
class Count:
    """k of n images, or leakage groups.

    Attributes:
      counted: k.
      of: n.
      interval: 95 % confidence interval of the rate, in percent; NaN without images.
    """

    counted: int
    of: int
    interval: Interval

    @property
    def rate(self) -> float:
        """k / n in percent; NaN without images."""
        return 100 * self.counted / self.of if self.of else float("nan")

    def entries(self, rate: str, counted: str, of: str, name: str = "") -> dict[str, float]:
        """The figures under these names; `name` is behind each of them."""
        low, high = self.interval
        values = {rate: self.rate, f"{rate}_low": low, f"{rate}_high": high}
        return {key + name: value for key, value in values.items()} | {
            counted + name: self.counted,
            of + name: self.of,
        }


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts of a decision on images of known truth.

    A leakage group is defective if any of its images is; a defective group is found if any of its
    defective images is judged not OK, and a good one has a false alarm if any of its images is.

    Attributes:
      found: defective images that are judged not OK.
      false_alarms: good images that are.
      of_class: class -> found, of the images with this class.
      groups_found: defective leakage groups.
      groups_alarmed: good ones with a false alarm.
      auroc_interval: 95 %, in percent; NaN without both kinds of images.
    """

    found: Count
    false_alarms: Count
    of_class: dict[str, Count]
    groups_found: Count
    groups_alarmed: Count
    auroc_interval: Interval

    def entries(self) -> dict[str, float]:
        """The figures by name, as in `evaluations.jsonl`."""
        low, high = self.auroc_interval
        entries = {"auroc_low": low, "auroc_high": high}
        entries |= self.found.entries("recall", "found", "defective_images")
        entries |= self.false_alarms.entries("false_alarm_rate", "false_alarms", "good_images")
        entries |= self.groups_found.entries("group_recall", "groups_found", "defective_groups")
        entries |= self.groups_alarmed.entries(
            "group_false_alarm_rate", "groups_alarmed", "good_groups"
        )
        for name, count in self.of_class.items():
            entries |= count.entries("recall", "found", "defective_images", f"/{name}")
        return entries


def judge(
    scores: np.ndarray,
    truth: Truth,
    groups: Sequence[int],
    class_names: Sequence[str],
    decision: Decision,
) -> Judged:
    """The verdicts of a decision on images of known truth.

    Args:
      scores: `[N]`, by the decision's rule.
      truth: of the images.
      groups: leakage group of each; one that is unknown (negative) is a group of its own.
      class_names: background first.
      decision: makes the verdicts.
    """
    not_ok = np.array([decision.is_not_ok(score) for score in scores.tolist()], bool)
    group = _distinct(groups)

    def counted(chosen: np.ndarray) -> Count:
        low, high = intervals.of_share(not_ok[chosen], group[chosen])
        return Count(
            counted=int(not_ok[chosen].sum()),
            of=int(chosen.sum()),
            interval=(100 * low, 100 * high),
        )

    def counted_groups(chosen: np.ndarray) -> Count:
        own = np.unique(group[chosen])
        alarmed = np.isin(own, group[chosen & not_ok])
        low, high = intervals.of_share(alarmed, own)
        return Count(counted=int(alarmed.sum()), of=len(own), interval=(100 * low, 100 * high))

    known = truth.is_good | truth.is_defective
    low, high = intervals.of_statistic(
        lambda times: ranking.auroc(scores[known], truth.is_defective[known], times), group[known]
    )
    in_defective_group = np.isin(group, group[truth.is_defective])
    return Judged(
        found=counted(truth.is_defective),
        false_alarms=counted(truth.is_good),
        of_class={
            name: counted(truth.classes[:, label])
            for label, name in enumerate(class_names)
            if label
        },
        groups_found=counted_groups(truth.is_defective),
        groups_alarmed=counted_groups(truth.is_good & ~in_defective_group),
        auroc_interval=(100 * low, 100 * high),
    )


def _distinct(groups: Sequence[int]) -> np.ndarray:
    """The groups, with a negative number of its own for each that is unknown."""
    given = np.asarray(groups, np.int64)
    return np.where(given < 0, -1 - np.arange(len(given)), given)
