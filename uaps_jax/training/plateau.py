"""The plateau schedule: PyTorch's ReduceLROnPlateau, one step per evaluation."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from uaps_jax.config import OptimizerConfig
from uaps_jax.training.state import Plateau

IGNORED_CHANGE = 1e-8
"""PyTorch does not change the learning rate by less than this."""


def advance(config: OptimizerConfig, plateau: Plateau, score: float) -> Plateau:
    """ReduceLROnPlateau (mode max, relative threshold) after one evaluation; on the host.

    The score improves if it exceeds best * (1 + threshold). After more than `patience`
    evaluations in a row without improvement, the learning rate is multiplied by the factor, but not
    below the minimum, and the count restarts. A NaN score never improves.
    """
    rate, best, bad = float(plateau.learning_rate), float(plateau.best), int(plateau.bad)
    score = float(np.float32(score))  # as `best` is stored
    if score > best * (1 + config.plateau_threshold):
        best, bad = score, 0
    else:
        bad += 1
    if bad > config.plateau_patience:
        bad = 0
        lower = max(rate * config.plateau_factor, config.plateau_min_lr)
        if rate - lower > IGNORED_CHANGE:
            rate = lower
    return Plateau(
        learning_rate=jnp.asarray(rate, jnp.float32),
        best=jnp.asarray(best, jnp.float32),
        bad=jnp.asarray(bad, jnp.int32),
    )
