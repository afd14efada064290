"""95 % confidence intervals by a bootstrap over leakage groups.

Images of one group show the same thing, so that they are not independent: whole groups are drawn,
with replacement, and the interval is between the 2.5th and the 97.5th percentile of the statistic
over the draws. (Efron and Tibshirani, An Introduction to the Bootstrap, 1993.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

DRAWS = 1000
TAIL = 0.025

Interval = tuple[float, float]


def of_share(is_counted: np.ndarray, groups: np.ndarray) -> Interval:
    """The interval of the share of images that are counted; NaN without an image.

    Where the share is the same in every group, every draw would give it. The interval is then the
    exact one of as many independent trials as there are groups (Clopper and Pearson, 1934); of a
    single group of which some images are counted, it is 0 to 1.

    Args:
      is_counted: bool `[N]`.
      groups: leakage group of each image, `[N]`.
    """
    if not len(groups):
        return float("nan"), float("nan")
    _, row = np.unique(groups, return_inverse=True)
    images, counted = np.bincount(row), np.bincount(row, is_counted)
    number = len(images)
    if (counted * images[0] == counted[0] * images).all():
        return _of_trials(counted[0] / images[0], number)
    return _percentiles(
        number, lambda times: float((times * counted).sum() / (times * images).sum())
    )


def of_statistic(statistic: Callable[[np.ndarray], float], groups: np.ndarray) -> Interval:
    """The interval of a statistic; NaN where it is the same in all draws, which says nothing.

    So is the area under the ROC curve if the scores separate the images perfectly.

    Args:
      statistic: of how often each image counts, `[N]`; draws for which it is NaN are left out.
      groups: leakage group of each image, `[N]`.
    """
    values, row = np.unique(groups, return_inverse=True)
    low, high = _percentiles(len(values), lambda times: statistic(times[row]))
    return (float("nan"), float("nan")) if low == high else (low, high)


def _of_trials(share: float, trials: int) -> Interval:
    """The exact interval of a binomial rate, of the share of the trials that succeed.

    The number of successes need not be whole: the ends are quantiles of beta distributions.
    """
    if trials == 1 and 0 < share < 1:
        return 0.0, 1.0
    successes, failures = trials * share, trials * (1 - share)
    low = special.betaincinv(successes, failures + 1, TAIL) if share > 0 else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - TAIL) if share < 1 else 1.0
    return float(low), float(high)


def _percentiles(groups: int, statistic: Callable[[np.ndarray], float]) -> Interval:
    """The percentiles of a statistic of how often each group was drawn."""
    random = np.random.default_rng(0)
    drawn = (
        np.bincount(random.integers(0, groups, groups), minlength=groups) for _ in range(DRAWS)
    )
    values = np.array([statistic(times) for times in drawn])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    return float(low), float(high)
