"""Scores over the number of labels: the area under them, a fitted curve, and what it foretells.

    m(n) = m_inf - b n^-c

with the score m_inf that labels without end would give, and b, c >= 0 (Mahmood et al., How much
more data do I need?, 2022, who compare such laws).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

EXPONENTS = np.geomspace(0.05, 3, 400)
"""Values of c among which the fit chooses."""

DRAWS = 500
TAIL = 0.025
PARAMETERS = 3
HIGHEST = 100.0
"""The highest score, in percent."""

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curve:
    """A fitted curve; numbers of labels are above 0.

    Attributes:
      limit: m_inf, in percent.
      scale: b.
      exponent: c.
    """

    limit: float
    scale: float
    exponent: float

    def __call__(self, count: float) -> float:
        """The score with this number of labels."""
        return self.limit - self.scale * count**-self.exponent

    def labels_for(self, score: float) -> float:
        """The number of labels with which the curve reaches a score; infinite if it never does."""
        if self.scale == 0:
            return 0.0 if score <= self.limit else math.inf
        if score >= self.limit:
            return math.inf
        return float((self.scale / (self.limit - score)) ** (1 / self.exponent))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """A curve through the mean scores of some runs, and curves of a parametric bootstrap.

    Attributes:
      curve: the fitted one.
      draws: `DRAWS` further ones.
      last: the largest number of labels that it was fitted to.
    """

    curve: Curve
    draws: tuple[Curve, ...]
    last: float

    def score(self, count: float) -> tuple[float, Interval]:
        """The foretold score with a number of labels, and its 95 % interval."""
        return self.curve(count), interval([draw(count) for draw in self.draws])

    def gain(self, count: float, more: float) -> tuple[float, Interval]:
        """What `more` labels add to the score with `count`, and the 95 % interval."""
        gains = [one(count + more) - one(count) for one in (self.curve, *self.draws)]
        return gains[0], interval(gains[1:])

    def labels_for(self, score: float) -> tuple[float, Interval]:
        """The number of labels for a score, infinite where no number suffices; 95 % interval."""
        return (
            self.curve.labels_for(score),
            interval([draw.labels_for(score) for draw in self.draws]),
        )


def area(counts: Sequence[float], scores: Sequence[float]) -> float:
    """The area under the scores over the logarithm of the number of labels, by the range.

    It is a mean score in which each doubling of the labels counts the same. (Over the number
    itself, the last of budgets that double would count for half.)

    Args:
      counts: labels, ascending, at least two.
      scores: with each.

    Raises:
      ValueError: fewer than two numbers, or they do not ascend.
    """
    x, y = _checked(counts, scores, 2)
    logs = np.log(x)
    return float(np.trapezoid(y, logs) / (logs[-1] - logs[0]))


def between(
    counts: Sequence[float], scores: Sequence[float], low: float, high: float
) -> tuple[list[float], list[float]]:
    """A part of a curve, with scores at its ends that are interpolated over the logarithm.

    Args:
      counts: labels, ascending, at least two.
      scores: with each.
      low: first number of labels of the part, not below the first of `counts`.
      high: its last one, not above the last of `counts`.

    Returns:
      The labels from low to high, and the scores with each.
    """
    x, y = _checked(counts, scores, 2)
    inside = [float(count) for count in x if low < count < high]
    chosen = [low, *inside, high]
    return chosen, [float(score) for score in np.interp(np.log(chosen), np.log(x), y)]


def fit(counts: Sequence[float], scores: Sequence[Sequence[float]], seed: int = 0) -> Fit:
    """The curve through the mean scores of runs, by least squares.

    The bootstrap is parametric: around the fitted curve it draws mean scores with the noise that
    the runs show (`_noise`).

    Args:
      counts: R labels, ascending, at least four.
      scores: of each run, `[S][R]`, in percent.
      seed: of the bootstrap.

    Raises:
      ValueError: fewer than four numbers, or they do not ascend.
    """
    table = np.asarray(scores, np.float64)
    x, mean = _checked(counts, table.mean(0), PARAMETERS + 1)
    curve = _fit(x, mean)
    fitted = np.array([curve(count) for count in x])
    samples = fitted + _noise(table, fitted, np.random.default_rng(seed))
    return Fit(curve=curve, draws=tuple(_fit(x, sample) for sample in samples), last=float(x[-1]))


def _noise(table: np.ndarray, fitted: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Errors of the mean scores of runs, `[DRAWS, R]`.

    A score is that of the curve, an offset of its run, and an independent error. The variance of
    the errors is that of the scores around the means of runs and of rounds, together with that of
    the means around the curve: (S - 1) (R - 1) + R - 3 degrees of freedom. The offset's is that of
    the means of the runs. As both are estimates, the draws follow Student's t, not the normal
    distribution: Gaussian numbers over the root of a mean of squares of as many others as there are
    degrees of freedom.

    Args:
      table: the scores, `[S, R]`.
      fitted: those of the curve, `[R]`.
      random: of the draws.
    """
    runs, rounds = table.shape
    mean = table.mean(0)
    inner = table - table.mean(1, keepdims=True) - mean + mean.mean()
    freedom = (runs - 1) * (rounds - 1) + rounds - PARAMETERS
    squares = (inner**2).sum() + runs * ((mean - fitted) ** 2).sum()
    scale = np.sqrt(squares / random.chisquare(freedom, (DRAWS, 1)) / runs)
    errors = scale * random.standard_normal((DRAWS, rounds))
    if runs == 1:
        return errors
    offset = math.sqrt(table.mean(1).var(ddof=1) / runs)
    shared = offset * random.standard_t(runs - 1, (DRAWS, 1))
    return errors - errors.mean(1, keepdims=True) + shared


def _fit(counts: np.ndarray, scores: np.ndarray) -> Curve:
    """The least squares with 0 <= m_inf <= 100 and b >= 0, for the best of `EXPONENTS`.

    For each exponent the problem is linear in m_inf and b, and convex: its minimum is inside of
    the limits or on one of their edges.
    """
    first = counts[0]
    x = (counts[None] / first) ** -EXPONENTS[:, None]
    mean_x, mean_y = x.mean(1), scores.mean()
    spread = ((x - mean_x[:, None]) ** 2).sum(1)
    slope = -((x - mean_x[:, None]) * (scores - mean_y)).sum(1) / spread
    free = mean_y + slope * mean_x
    level = np.full_like(free, np.clip(mean_y, 0, HIGHEST))
    on_top = np.maximum(((HIGHEST - scores) * x).sum(1) / (x * x).sum(1), 0)
    candidates = [
        (level, np.zeros_like(level)),
        (np.full_like(free, HIGHEST), on_top),
        (np.where((slope >= 0) & (free <= HIGHEST) & (free >= 0), free, np.nan), slope),
    ]
    best = (math.inf, 0.0, 0.0, 0.0)
    for limits, scales in candidates:
        errors = ((limits[:, None] - scales[:, None] * x - scores) ** 2).sum(1)
        if np.isnan(errors).all():
            continue
        row = int(np.nanargmin(errors))
        if errors[row] < best[0]:
            best = (float(errors[row]), float(limits[row]), float(scales[row]), EXPONENTS[row])
    _, limit, scale, exponent = best
    return Curve(limit=limit, scale=scale * first**exponent, exponent=float(exponent))


def _checked(
    counts: Sequence[float], scores: Sequence[float] | np.ndarray, least: int
) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(counts, np.float64), np.asarray(scores, np.float64)
    if len(x) != len(y) or len(x) < least or not (np.diff(x) > 0).all() or not x[0] > 0:
        raise ValueError(
            f"labels {list(counts)} with {len(y)} scores: at least {least} numbers above 0 that "
            "ascend are needed, each with a score"
        )
    return x, y


def interval(values: Sequence[float]) -> Interval:
    """The middle 95 % of values of a bootstrap, of which some may be infinite."""
    low, high = np.quantile(np.asarray(values), (TAIL, 1 - TAIL), method="closest_observation")
    return float(low), float(high)
