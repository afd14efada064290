"""The score of an image against plain loops, on the host and compiled."""

import jax
import numpy as np
import pytest

from uaps_jax.evaluation import regions
from uaps_jax.evaluation.image_score import ScoreRule, score, scores


def flooded(marked, minimum):
    """The marked pixels of regions of at least `minimum` pixels, one region after another."""
    kept, seen = np.zeros_like(marked), set()
    for start in map(tuple, np.argwhere(marked)):
        if start in seen:
            continue
        region, todo = {start}, [start]
        while todo:
            y, x = todo.pop()
            for near in ((y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                inside = 0 <= near[0] < marked.shape[0] and 0 <= near[1] < marked.shape[1]
                if inside and marked[near] and near not in region:
                    region.add(near)
                    todo.append(near)
        seen |= region
        if len(region) >= minimum:
            kept[tuple(zip(*region, strict=True))] = True
    return kept


def spiral():
    """One region as long as a map of 11 x 11 allows, which bends all the time."""
    marked = np.zeros((11, 11), bool)
    y, x = 0, 0
    marked[0, 0] = True
    for direction, length in enumerate((10, 10, 10, 8, 8, 6, 6, 4, 4, 2, 2)):
        dy, dx = ((0, 1), (1, 0), (0, -1), (-1, 0))[direction % 4]
        for _ in range(length):
            y, x = y + dy, x + dx
            marked[y, x] = True
    return marked


def maps():
    random = np.random.default_rng(0)
    several = [random.uniform(size=(11, 11)) < share for share in (0.05, 0.2, 0.35, 0.5)]
    return np.stack([*several, spiral(), np.zeros((11, 11), bool), np.ones((11, 11), bool)])


@pytest.mark.parametrize("minimum", [2, 5, 61])
def test_regions_are_those_of_a_flood(minimum):
    marked = maps()
    expected = [flooded(one, minimum) for one in marked]
    compiled = jax.jit(regions.batch_in_large_regions, static_argnums=1)
    np.testing.assert_array_equal(compiled(marked, minimum), expected)
    on_host = [regions.in_large_regions(one, minimum) for one in marked]
    np.testing.assert_array_equal(on_host, expected)
    assert 0 < np.sum(expected) < marked.sum()


def probabilities(count=6, size=(9, 7)):
    random = np.random.default_rng(1)
    logits = random.normal([2.5, 0, 0], 3, (count, *size, 3))
    p = np.exp(logits)
    return (p / p.sum(-1, keepdims=True)).astype(np.float32)


def expected_score(p, rule, known):
    defect = [1 - float(v) for v, is_known in zip(p[..., 0].flat, known.flat, strict=True)]
    defect = [v if is_known else 0.0 for v, is_known in zip(defect, known.flat, strict=True)]
    marked = np.array([v > rule.pixel_threshold for v in defect]).reshape(known.shape)
    if rule.minimum_area > 1:
        marked = flooded(marked, rule.minimum_area)
        defect = [v if m else 0.0 for v, m in zip(defect, marked.flat, strict=True)]
    if rule.kind == "area":
        return float(marked.sum())
    return sum(sorted(defect, reverse=True)[: rule.top_pixels]) / rule.top_pixels


RULES = [
    ScoreRule(kind=kind, top_pixels=k, pixel_threshold=threshold, minimum_area=area)
    for kind, k, threshold, area in (
        ("top", 1, 0.5, 0),
        ("top", 5, 0.5, 0),
        ("top", 100, 0.5, 1),  # more than the image has
        ("top", 5, 0.3, 3),
        ("area", 1, 0.5, 0),
        ("area", 1, 0.3, 4),
    )
]


@pytest.mark.parametrize("rule", RULES)
def test_scores_are_those_of_plain_loops(rule):
    p = probabilities()
    known = np.random.default_rng(2).uniform(size=p.shape[:3]) < 0.8
    expected = [expected_score(q, rule, k) for q, k in zip(p, known, strict=True)]
    assert len(set(expected)) > 3
    on_host = [score(q, rule, k) for q, k in zip(p, known, strict=True)]
    np.testing.assert_allclose(on_host, expected, rtol=1e-5)
    np.testing.assert_allclose(
        jax.jit(lambda q, k: scores(q, rule, k))(p, known), expected, rtol=1e-5
    )
    assert score(p[0], rule) == score(p[0], rule, np.ones(p.shape[1:3], bool))


def test_an_image_without_a_defect_probability_scores_0():
    p = np.zeros((4, 4, 2), np.float32)
    p[..., 0] = 1
    assert [score(p, rule) for rule in RULES] == [0] * len(RULES)
    p[..., 0], p[..., 1] = 0, 1
    assert score(p, RULES[4]) == 16
    assert score(p, RULES[1]) == 1
    assert score(p, RULES[2]) == pytest.approx(16 / 100)
