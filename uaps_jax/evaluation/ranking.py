"""How well scores separate positive from negative examples, whatever the threshold."""

from __future__ import annotations

import numpy as np


def auroc(scores: np.ndarray, is_positive: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The area under the ROC curve: the probability that a positive example has the larger score.

    Equal scores count one half: 1/(P N) sum_ij [s_i > s_j] + [s_i = s_j] / 2 over positive i and
    negative j.

    Args:
      scores: `[N]`.
      is_positive: bool `[N]`.
      weights: how often each example counts, `[N]`; None for once.

    Returns:
      In [0, 1]; NaN without both kinds of examples.
    """
    positive, negative = _weights_by_score(scores, is_positive, weights)
    pairs = positive.sum() * negative.sum()
    if not pairs:
        return float("nan")
    below = negative.cumsum() - negative
    return float((positive * (below + negative / 2)).sum() / pairs)


def average_precision(
    scores: np.ndarray, is_positive: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The sum over the thresholds of precision times the increase of recall.

    A threshold is one of the scores, and all examples of at least this score are found by it, so
    that the order of equal scores does not matter.

    Args:
      scores: `[N]`.
      is_positive: bool `[N]`.
      weights: how often each example counts, `[N]`; None for once.

    Returns:
      In [0, 1]; NaN without a positive example.
    """
    positive, negative = _weights_by_score(scores, is_positive, weights)
    counted = positive + negative > 0
    positive, negative = positive[counted], negative[counted]
    if not positive.sum():
        return float("nan")
    found, false = positive[::-1].cumsum(), negative[::-1].cumsum()
    return float((found / (found + false) * positive[::-1]).sum() / positive.sum())


def _weights_by_score(
    scores: np.ndarray, is_positive: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The weights of the positive and of the negative examples of each score, ascending."""
    values, row = np.unique(scores, return_inverse=True)
    weight = np.ones(len(scores)) if weights is None else weights.astype(np.float64)
    positive, negative = (
        np.bincount(row, weight * chosen, len(values)) for chosen in (is_positive, ~is_positive)
    )
    return positive, negative
