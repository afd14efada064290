"""Optimizers as optax transformations, from the settings of a run.

The learning rate is an argument of every update: the schedule computes it, and the plateau schedule
has its own state (`training/plateau.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from uaps_jax.config import OptimizerConfig
from uaps_jax.models.freezing import FROZEN
from uaps_jax.training.state import Plateau
from uaps_jax.trees import Tree

ENCODER = "encoder"
NOT_DECAYED = ("bias", "scale")
"""Names of biases and of the scales of batch normalisations."""


def build(
    config: OptimizerConfig, parameter_groups: Callable[[Tree], Tree]
) -> optax.GradientTransformationExtraArgs:
    """The optimizer; `update(gradients, state, params, learning_rate=...)`.

    Weight decay is added to the gradient, as in PyTorch's Adam and SGD, and for AdamW to the
    update (Loshchilov and Hutter 2019). Parameters of the group "frozen" do not change.

    Args:
      config: the settings.
      parameter_groups: `params` to the same tree of names (`Method.parameter_groups`).
    """

    def of_groups(chosen: Callable[[str], bool]) -> Callable[[Tree], Tree]:
        return lambda params: jax.tree.map(chosen, parameter_groups(params))

    frozen = of_groups(lambda group: group == FROZEN)
    behind_encoder = of_groups(lambda group: group != ENCODER)
    decay = (
        [optax.add_decayed_weights(config.weight_decay, mask=_decayed(config))]
        if config.weight_decay
        else []
    )
    stages: list[optax.GradientTransformation] = []
    if config.clip_norm:
        stages.append(optax.clip_by_global_norm(config.clip_norm))
    match config.name:
        case "adam":
            stages += [*decay, _adam(config)]
        case "adamw":
            stages += [_adam(config), *decay]
        case "sgd":
            stages += decay
            if config.momentum:
                stages.append(optax.trace(config.momentum, nesterov=config.nesterov))
    if config.decoder_multiple != 1:
        stages.append(optax.masked(optax.scale(config.decoder_multiple), behind_encoder))
    stages.append(optax.masked(optax.set_to_zero(), frozen))
    return optax.chain(*stages, _times_learning_rate())


def _adam(config: OptimizerConfig) -> optax.GradientTransformation:
    return optax.scale_by_adam(b1=config.beta1, b2=config.beta2, eps=config.epsilon)


def _decayed(config: OptimizerConfig) -> Callable[[Tree], Tree]:
    """The mask of the parameters that decay: all, or all but biases and scales."""

    def decays(path: tuple[Any, ...], leaf: Any) -> bool:
        del leaf
        return config.decay_biases_and_norms or path[-1].key not in NOT_DECAYED

    return lambda params: jax.tree_util.tree_map_with_path(decays, params)


def _times_learning_rate() -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by -`learning_rate`."""

    def update(
        updates: Any, state: optax.EmptyState, params: Any = None, *, learning_rate: jax.Array
    ) -> tuple[Any, optax.EmptyState]:
        del params
        return jax.tree.map(lambda u: -learning_rate.astype(u.dtype) * u, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def learning_rate(
    config: OptimizerConfig, plateau: Plateau, step: jax.Array, steps: int
) -> jax.Array:
    """The learning rate of a 0-based step of a run of `steps`, float32 or wider.

    `plateau` is the rate in the state of `plateau.advance`; `constant` the initial rate; `poly` the
    initial rate times (1 - t)^power and `cosine` times (1 + cos(pi t)) / 2, t = step / steps. In
    the first `warmup_steps` it is multiplied by (step + 1) / `warmup_steps`.
    """
    initial = config.learning_rate
    match config.schedule:
        case "plateau":
            rate = plateau.learning_rate
        case "constant":
            rate = jnp.asarray(initial)
        case "poly":
            rate = optax.polynomial_schedule(initial, 0.0, config.poly_power, steps)(step)
        case "cosine":
            rate = optax.cosine_decay_schedule(initial, steps)(step)
    if config.warmup_steps:
        rate = rate * jnp.minimum((step + 1) / config.warmup_steps, 1.0)
    return rate
