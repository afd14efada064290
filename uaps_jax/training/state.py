"""The state of training, all of it checkpointed."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import optax

from uaps_jax.config import OptimizerConfig
from uaps_jax.methods.base import Method
from uaps_jax.trees import Tree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Plateau:
    """The state of the plateau schedule.

    Attributes:
      learning_rate: the current one.
      best: best validation score so far, in percent.
      bad: evaluations in a row without improvement.
    """

    learning_rate: jax.Array
    best: jax.Array
    bad: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
    """The state of a run.

    Attributes:
      step: optimizer steps done, int32.
      halted: whether a step was not finite; further steps change nothing.
      params: updated by the optimizer.
      method_state: the method's other variables (batch statistics, teachers).
      memory: the method's arrays that are written row by row.
      opt_state: of the optimizer.
      plateau: of the plateau schedule.
    """

    step: jax.Array
    halted: jax.Array
    params: Tree
    method_state: Tree
    memory: Tree
    opt_state: optax.OptState
    plateau: Plateau


def create(
    method: Method,
    optimizer: optax.GradientTransformationExtraArgs,
    config: OptimizerConfig,
    seed: int,
) -> TrainState:
    """The state before the first step, its arrays on the host or the default device."""
    params, method_state = method.init(seed)
    plateau = Plateau(
        learning_rate=jnp.asarray(config.learning_rate, jnp.float32),
        best=jnp.full((), -jnp.inf, jnp.float32),
        bad=jnp.zeros((), jnp.int32),
    )
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        halted=jnp.zeros((), bool),
        params=params,
        method_state=method_state,
        memory=method.memory(),
        opt_state=optimizer.init(params),
        plateau=plateau,
    )
