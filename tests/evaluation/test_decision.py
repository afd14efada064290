"""Thresholds against a search over all of them, verdicts, the record of a decision."""

import itertools
import json

import numpy as np
import pytest

from uaps_jax.evaluation.decision import MARGIN, Decision, NoDecision, Target, decide
from uaps_jax.evaluation.image_score import ScoreRule

TOP = ScoreRule(kind="top", top_pixels=4, pixel_threshold=0.5, minimum_area=0)
AREA = ScoreRule(kind="area", top_pixels=4, pixel_threshold=0.5, minimum_area=3)


def rates(scores, is_defective, threshold):
    alarms = [s > threshold for s, d in zip(scores, is_defective, strict=True) if not d]
    found = [s > threshold for s, d in zip(scores, is_defective, strict=True) if d]
    return sum(alarms), sum(found)


def candidates(scores):
    """A threshold between any two neighbouring scores, below all and above all."""
    ordered = sorted(set(scores))
    middles = [(a + b) / 2 for a, b in itertools.pairwise(ordered)]
    return [ordered[0] - 1, *middles, ordered[-1] + 1]


def drawn(seed, count, kind):
    random = np.random.default_rng(seed)
    if kind == "area":  # whole numbers, with many ties at 0
        scores = np.maximum(random.integers(-8, 12, count), 0).astype(float)
    else:
        scores = random.uniform(size=count).round(2)
    is_defective = random.uniform(size=count) < 0.4
    is_defective[:2] = False, True
    return scores, is_defective


@pytest.mark.parametrize("rule", [TOP, AREA], ids=["top", "area"])
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.999])
def test_a_threshold_finds_as_many_as_its_false_alarm_rate_allows(rule, rate):
    for seed, count in itertools.product(range(20), (2, 7, 40)):
        scores, is_defective = drawn(seed, count, rule.kind)
        decision = decide(scores, is_defective, rule, Target(aim="false_alarms", rate=rate))
        alarms, found = rates(scores, is_defective, decision.threshold)
        assert (decision.false_alarms, decision.found) == (alarms, found)
        good = int((~is_defective).sum())
        assert (decision.good, decision.defective) == (good, count - good)
        assert alarms <= rate * good + 1e-9
        allowed = [
            rates(scores, is_defective, t)[1]
            for t in candidates(scores)
            if rates(scores, is_defective, t)[0] <= rate * good + 1e-9
        ]
        assert found == max(allowed)
        assert 0 < np.abs(scores - decision.threshold).min() <= MARGIN[rule.kind] + 1e-12


@pytest.mark.parametrize("rule", [TOP, AREA], ids=["top", "area"])
@pytest.mark.parametrize("rate", [0.01, 0.5, 0.95])
def test_a_threshold_raises_as_few_false_alarms_as_its_recall_allows(rule, rate):
    for seed, count in itertools.product(range(20), (2, 7, 40)):
        scores, is_defective = drawn(seed, count, rule.kind)
        decision = decide(scores, is_defective, rule, Target(aim="recall", rate=rate))
        alarms, found = rates(scores, is_defective, decision.threshold)
        defective = int(is_defective.sum())
        assert found >= rate * defective - 1e-9
        enough = [
            rates(scores, is_defective, t)[0]
            for t in candidates(scores)
            if rates(scores, is_defective, t)[1] >= rate * defective - 1e-9
        ]
        assert alarms == min(enough)


def test_a_rate_that_the_images_cannot_set_is_said():
    def of(good, defective=5, **target):
        scores = np.arange(good + defective) / 100
        is_defective = np.arange(good + defective) >= good
        return decide(scores, is_defective, TOP, Target(**target)).reservation()

    five = {"aim": "false_alarms", "rate": 0.05}
    assert of(20, **five) == ""
    # Zero of 19 is not unlikely for any rate p with (1 - p)^19 >= 0.05: p up to 14.6 %.
    text = of(19, **five)
    assert text.startswith("19 good validation images cannot set a false-alarm rate of 5 %, ")
    assert "at least 20" in text
    assert "up to 15 % false alarms" in text
    assert of(1, **five).startswith("1 good validation image cannot")
    assert of(3, defective=20, aim="recall", rate=0.95) == ""
    text = of(30, defective=10, aim="recall", rate=0.95)
    assert text.startswith("10 defective validation images cannot set a recall of 95 %, ")
    assert "a recall of only 74 %" in text
    assert Target(aim="recall", rate=0.9).images_needed == 10
    assert Target(aim="false_alarms", rate=0.01).images_needed == 100


def test_without_good_images_there_is_no_decision_by_rate_but_by_recall():
    scores, only_defective = np.array([0.2, 0.6]), np.array([True, True])
    with pytest.raises(NoDecision, match=r"without a defect.*aim=recall"):
        decide(scores, only_defective, TOP, Target(aim="false_alarms", rate=0.05))
    decision = decide(scores, only_defective, TOP, Target(aim="recall", rate=0.5))
    assert decision.threshold == pytest.approx(0.6 - MARGIN["top"])
    with pytest.raises(NoDecision, match="with a defect"):
        decide(scores, ~only_defective, TOP, Target(aim="recall", rate=0.5))


def test_a_decision_is_read_as_it_was_written():
    scores, is_defective = drawn(0, 30, "area")
    decision = decide(scores, is_defective, AREA, Target(aim="false_alarms", rate=0.1))
    text = decision.to_json()
    assert Decision.from_json(text) == decision
    assert json.loads(text)["rule"]["minimum_area"] == 3
    assert [decision.is_not_ok(s) for s in (decision.threshold, decision.threshold + 1e-9)] == [
        False,
        True,
    ]
    assert decision.is_not_ok(float("nan"))
    whole = json.loads(text)
    for broken in ("", "[]", "{}", json.dumps({**whole, "threshold": "high"}), text[:-5]):
        with pytest.raises(ValueError):
            Decision.from_json(broken)
