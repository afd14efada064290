"""Thresholds on the confidence of a pseudo-label, one per class.

A pixel is kept if max_c p_c >= tau of its pseudo-label's class.

fixed      tau, the same for all classes (FixMatch, Sohn et al. 2020).
global     tau_t = m tau_{t-1} + (1 - m) mean_c v_c, v_c the largest confidence of the pixels of
           pseudo-label c, for the classes c that the batch has (CorrMatch, Sun et al. 2024).
classwise  tau_c = tau q_c / max_c q_c, where q_c is a moving average, with the same m, of the mean
           confidence over the pixels of pseudo-label c, from the first batch on that has any.
           FlexMatch (Zhang et al. 2021) scales tau by the number of confident samples of each
           class; pixels of a defect are so much rarer than background that this number is near 0
           for every defect.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

Rule = Literal["fixed", "global", "classwise"]
START = 0.85
"""tau_0 of the rule "global" (CorrMatch)."""


def initial(rule: Rule, classes: int) -> jax.Array:
    """The averages `[C]` before the first step; 0 for a class that no batch had yet."""
    return jnp.full(classes, START if rule == "global" else 0.0, jnp.float32)


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
    moved = jnp.where(averages == 0, mean, momentum * averages + (1 - momentum) * mean)
    return jnp.where(present, moved, averages)


def current(rule: Rule, threshold: jax.Array, averages: jax.Array) -> jax.Array:
    """tau of every class, `[C]`; that of a class that no batch had yet is `threshold`."""
    if rule == "fixed":
        return jnp.full_like(averages, threshold)
    if rule == "global":
        return averages
    relative = averages / jnp.maximum(averages.max(), jnp.finfo(averages.dtype).tiny)
    return threshold * jnp.where(averages == 0, 1.0, relative)
