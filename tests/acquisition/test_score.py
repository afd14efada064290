"""Aggregations to an image, and scores."""

import dataclasses
import typing

import numpy as np
import pytest

from uaps_jax.acquisition import aggregation, score, uncertainty


def a_map(seed=0, shape=(9, 7)):
    return np.random.default_rng(seed).uniform(size=shape)


def with_foreground(*pixels, shape=(9, 7)):
    p = np.zeros((*shape, 3))
    p[..., 0] = 1
    for y, x, label in pixels:
        p[y, x] = np.eye(3)[label]
    return p


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 1.0])
def test_the_top_share_is_the_mean_of_the_largest(share):
    u = a_map()
    count = max(1, round(share * 63))
    assert aggregation.top_share(u, share) == pytest.approx(np.sort(u.reshape(-1))[-count:].mean())


def test_a_share_of_no_pixels_is_refused():
    with pytest.raises(ValueError, match="share = 0: must be above 0"):
        aggregation.top_share(a_map(), 0)


@pytest.mark.parametrize("border", [0, 1, 2])
def test_the_foreground_has_a_border(border):
    u, p = a_map(), with_foreground((3, 2, 1), (8, 6, 2))
    inside = [
        u[y, x]
        for y in range(9)
        for x in range(7)
        if any(max(abs(y - cy), abs(x - cx)) <= border for cy, cx in ((3, 2), (8, 6)))
    ]
    assert aggregation.predicted_foreground(u, p, border) == pytest.approx(np.mean(inside))
    assert aggregation.predicted_foreground(u, with_foreground(), border) == 0


def test_each_predicted_class_counts_the_same():
    u, p = a_map(), with_foreground((0, 0, 1), (0, 1, 1), (5, 5, 2))
    rest = u.sum() - u[0, 0] - u[0, 1] - u[5, 5]
    expected = (rest / 60 + (u[0, 0] + u[0, 1]) / 2 + u[5, 5]) / 3
    assert aggregation.class_balanced(u, p) == pytest.approx(expected)


@pytest.mark.parametrize("side", [1, 3, 7, 9, 50])
def test_the_worst_window_is_inside_the_image(side):
    u = a_map()
    height, width = min(side, 9), min(side, 7)
    windows = [
        u[y : y + height, x : x + width].mean()
        for y in range(10 - height)
        for x in range(8 - width)
    ]
    assert aggregation.worst_window(u, side) == pytest.approx(max(windows))


def test_a_small_defect_decides_every_aggregation_but_the_mean():
    """A noisy texture, and an image with one unsure crack of 2 % of the pixels."""
    texture, crack = np.full((50, 50), 0.1), np.full((50, 50), 0.001)
    crack[20:25, 20:30] = 0.6
    assert aggregation.mean(texture) > aggregation.mean(crack)
    assert aggregation.top_share(texture, 0.05) < aggregation.top_share(crack, 0.05)
    assert aggregation.worst_window(texture, 8) < aggregation.worst_window(crack, 8)


def ensemble():
    p = np.random.default_rng(0).dirichlet(np.full(3, 0.3), (2, 9, 7))
    return p.astype(np.float32)


@pytest.mark.parametrize("name", typing.get_args(score.Aggregation))
def test_a_score_is_the_aggregation_of_its_map(name):
    p = ensemble()
    u, q = uncertainty.bald(p), p.mean(0)
    expected = {
        "mean": aggregation.mean(u),
        "top_share": aggregation.top_share(u, 0.05),
        "predicted_foreground": aggregation.predicted_foreground(u, q, 2),
        "class_balanced": aggregation.class_balanced(u, q),
        "worst_window": aggregation.worst_window(u, 64),
    }
    chosen = dataclasses.replace(score.DEFAULT, uncertainty="bald", aggregation=name)
    assert chosen(p) == expected[name] >= 0


def test_the_default_needs_no_ensemble():
    assert 0 < score.DEFAULT(ensemble()[:1]) <= np.log(3)
    with pytest.raises(ValueError, match=r"shape \(9, 7, 3\): must be \[M, H, W, C\]"):
        score.DEFAULT(ensemble()[0])


def test_a_score_names_everything_that_is_wrong_with_it():
    with pytest.raises(ValueError) as error:
        score.Score(uncertainty="entropie", aggregation="max", share=0, border=-1, side=0)
    lines = str(error.value).splitlines()
    assert lines == [
        f"uncertainty = 'entropie': must be one of {', '.join(uncertainty.UNCERTAINTIES)}",
        "aggregation = 'max': must be one of mean, top_share, predicted_foreground, "
        "class_balanced, worst_window",
        "share = 0: must be above 0, up to 1",
        "border = -1: cannot be negative",
        "side = 0: must be at least 1",
    ]
