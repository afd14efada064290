"""Thresholds on the confidence of a pseudo-label, one per class.

A pixel is kept if max_c p_c >= tau of its pseudo-label's class.

fixed      tau, the same for all classes (FixMatch, Sohn et al. 2020).
global     tau_t = m tau_{t-1} + (1 - m) mean_c v_c, v_c the largest confidence of the pixels of
           pseudo-label c, for the classes c that the batch has (CorrMatch, Sun et al. 2024).
classwise  tau_c = tau q_c / max_c q_c, where q_c is a moving average, with the same m, of the mean
           confidence over the pixels of pseudo-label c. FlexMatch (Zhang et al. 2021) scales tau by
           the number of confident samples of each class; pixels of a defect are so much rarer than
           background that this number is near 0 for every defect.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

Rule = Literal["fixed", "global", "classwise"]
START = 0.85
"""Of the averages (CorrMatch)."""


def initial(classes: int) -> jax.Array:
    """The averages `[C]` before the first step."""
    return jnp.full(classes, START, jnp.float32)


def update(
    rule: Rule, averages: jax.Array, probabilities: jax.Array, momentum: jax.Array
) -> jax.Array:
    """The averages after a batch.

    Args:
      rule: how they are computed.
      averages: `[C]`, before the batch.
      probabilities: `[B, H, W, C]`, of the batch.
      momentum: m.
    """
    if rule == "fixed":
        return averages
    classes = probabilities.shape[-1]
    confidence = probabilities.max(-1).astype(averages.dtype)
    of_class = jax.nn.one_hot(probabilities.argmax(-1), classes, dtype=bool)  # [B, H, W, C]
    count = of_class.sum((0, 1, 2))
    present = count > 0
    if rule == "global":
        largest = jnp.where(of_class, confidence[..., None], 0).max((0, 1, 2))
        value = largest.sum() / jnp.maximum(present.sum(), 1)
        return momentum * averages + (1 - momentum) * value
    mean = jnp.where(of_class, confidence[..., None], 0).sum((0, 1, 2)) / jnp.maximum(count, 1)
    return jnp.where(present, momentum * averages + (1 - momentum) * mean, averages)


def current(rule: Rule, threshold: jax.Array, averages: jax.Array) -> jax.Array:
    """tau of every class, `[C]`."""
    if rule == "fixed":
        return jnp.full_like(averages, threshold)
    if rule == "global":
        return averages
    return threshold * averages / averages.max()
