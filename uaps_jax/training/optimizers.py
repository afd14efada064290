"""Adam and the learning rate, by schedule or by plateau."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from uaps_jax.config import OptimizerConfig
from uaps_jax.training.state import Plateau

IGNORED_CHANGE = 1e-8
"""PyTorch leaves a learning rate alone that would change by less."""


def adam(config: OptimizerConfig) -> optax.GradientTransformation:
    """Adam without its learning rate; weight decay is added to the gradient, as PyTorch does."""
    scale = optax.scale_by_adam(b1=config.beta1, b2=config.beta2, eps=config.epsilon)
    if config.weight_decay:
        return optax.chain(optax.add_decayed_weights(config.weight_decay), scale)
    return scale


def learning_rate(
    config: OptimizerConfig, plateau: Plateau, step: jax.Array, steps: int
) -> jax.Array:
    """The learning rate of a 0-based step of a run of `steps`.

    `plateau` reads the state that `advance_plateau` changes; `constant` is the initial value;
    `poly` is (1 - t)^power of it and `cosine` (1 + cos(pi t)) / 2, t = step / steps.
    """
    share = step / steps
    match config.schedule:
        case "plateau":
            return plateau.learning_rate
        case "constant":
            return jnp.asarray(config.learning_rate)
        case "poly":
            return config.learning_rate * (1 - share) ** config.poly_power
        case "cosine":
            return config.learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * share))
        case other:
            raise ValueError(f"optimizer.schedule = {other!r} is unknown")


def advance_plateau(config: OptimizerConfig, plateau: Plateau, score: float) -> Plateau:
    """PyTorch's ReduceLROnPlateau (mode max, relative threshold) after one evaluation.

    The score improves if it exceeds best * (1 + threshold). After more than `patience`
    evaluations in a row without, the learning rate is multiplied by the factor, down to the
    floor, and the count starts again. A NaN score never improves. Host code, once an evaluation.
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
