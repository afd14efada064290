"""OK or not OK: the decision about an image, by a threshold on its score.

The threshold is set on images whose truth is known, the validation images of a run: for a
false-alarm rate (percentage of the good images that are judged not OK), as low as the rate allows,
so that as many defective images as possible are found; or for a recall (percentage of the defective
images that are found), as high as it allows.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from uaps_jax.config import Aim, DecisionConfig, ScoreKind
from uaps_jax.evaluation.image_score import ScoreRule

MARGIN: dict[ScoreKind, float] = {"top": 1e-4, "area": 0.5}
"""The most by which a threshold differs from the score of an image that it was set by: other
programs compute the scores of the same image a little differently."""


class NoDecision(ValueError):
    """A threshold that cannot be set; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a threshold is set for.

    Attributes:
      aim: "false_alarms" or "recall".
      rate: above 0 and below 1.
    """

    aim: Aim
    rate: float

    @property
    def images_needed(self) -> int:
        """Number of images of which the rate allows one to be judged wrongly."""
        allowed = self.rate if self.aim == "false_alarms" else 1 - self.rate
        return math.ceil(1 / allowed - 1e-9)

    def words(self) -> str:
        """The target as a part of a sentence."""
        name = "false-alarm rate" if self.aim == "false_alarms" else "recall"
        return f"a {name} of {100 * self.rate:g} %"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How it is decided whether an image is OK.

    Attributes:
      rule: of the score.
      threshold: an image with a larger score, or with NaN for a score, is not OK.
      target: what the threshold was set for.
      good: number of good images that it was set on.
      defective: number of defective images likewise.
      false_alarms: how many of the good ones are judged not OK.
      found: how many of the defective ones are.
    """

    rule: ScoreRule
    threshold: float
    target: Target
    good: int
    defective: int
    false_alarms: int
    found: int

    def is_not_ok(self, score: float) -> bool:
        """The verdict on an image with this score: True where it is not OK."""
        return not score <= self.threshold

    def reservation(self) -> str:
        """The sentence that says why the rate cannot be relied on; empty where it can."""
        is_rate = self.target.aim == "false_alarms"
        counted, noun = (self.good, "good") if is_rate else (self.defective, "defective")
        if counted >= self.target.images_needed:
            return ""
        # Nothing is judged wrongly: the exact one-sided 95 % bound of a binomial rate.
        bound = 100 * (1 - 0.05 ** (1 / counted))
        images = f"{counted} {noun} validation image{'s' * (counted != 1)}"
        least = f"that takes at least {self.target.images_needed}"
        known = (
            f"up to {bound:.0f} % false alarms"
            if is_rate
            else f"a recall of only {100 - bound:.0f} %"
        )
        return (
            f"{images} cannot set {self.target.words()}, {least}: the threshold judges all of "
            f"them rightly, and {known} would still agree with that"
        )

    def to_json(self) -> str:
        """One line of JSON, with an entry for each attribute."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Decision:
        """The decision of `to_json`.

        Raises:
          ValueError: it is not one.
        """
        try:
            entries: dict[str, Any] = json.loads(text)
            rule, target = ScoreRule(**entries.pop("rule")), Target(**entries.pop("target"))
            decision = cls(rule=rule, target=target, **entries)
            is_finite = math.isfinite(decision.threshold)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a decision: {error}") from error
        if not is_finite:
            raise ValueError(f"not a decision: the threshold is {decision.threshold}")
        return decision


def verdict(not_ok: bool | None) -> str:
    """A verdict in words: "OK" or "not OK"; "" where there is none."""
    if not_ok is None:
        return ""
    return "not OK" if not_ok else "OK"


def target_of(settings: DecisionConfig) -> Target:
    """The target of the settings `evaluation.decision`."""
    return Target(aim=settings.aim, rate=settings.rate)


def decide(
    scores: np.ndarray, is_defective: np.ndarray, rule: ScoreRule, target: Target
) -> Decision:
    """The decision that the scores of images of known truth set.

    Args:
      scores: float `[N]`, by `rule`.
      is_defective: bool `[N]`, the truth.
      rule: of the scores.
      target: of the threshold.

    Raises:
      NoDecision: there is no image that the target is about.
    """
    good, defective = scores[~is_defective], scores[is_defective]
    if target.aim == "false_alarms":
        if not len(good):
            raise NoDecision(
                "there is no validation image without a defect, so no threshold can be set for "
                f"{target.words()}; --config.evaluation.decision.aim=recall "
                "--config.evaluation.decision.rate=0.95 sets one by the defective images"
            )
        allowed = min(math.floor(target.rate * len(good) + 1e-9), len(good) - 1)
        largest_ok = np.sort(good)[::-1][allowed]
        above = scores[scores > largest_ok]
        gap = (above.min() - largest_ok) / 2 if len(above) else math.inf
        threshold = largest_ok + min(gap, MARGIN[rule.kind])
    else:
        if not len(defective):
            raise NoDecision(
                "there is no validation image with a defect, so no threshold can be set for "
                f"{target.words()}"
            )
        needed = max(math.ceil(target.rate * len(defective) - 1e-9), 1)
        smallest_found = np.sort(defective)[::-1][needed - 1]
        below = scores[scores < smallest_found]
        gap = (smallest_found - below.max()) / 2 if len(below) else math.inf
        threshold = smallest_found - min(gap, MARGIN[rule.kind])
    return Decision(
        rule=rule,
        threshold=float(threshold),
        target=target,
        good=len(good),
        defective=len(defective),
        false_alarms=int((~(good <= threshold)).sum()),
        found=int((~(defective <= threshold)).sum()),
    )
