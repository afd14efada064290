"""Everything that training carries from step to step, all of it checkpointed."""

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
    """What the plateau schedule remembers.

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
      step: optimizer steps done, int32; `halt` makes it negative.
      params: what the optimizer changes.
      method_state: the method's other variables (batch statistics, teachers).
      opt_state: the optimizer's moments.
      plateau: the plateau schedule's counters.
    """

    step: jax.Array
    params: Tree
    method_state: Tree
    opt_state: optax.OptState
    plateau: Plateau


def halt(state: TrainState) -> TrainState:
    """The state of a run that goes no further: `step` becomes -1 - step, once."""
    return dataclasses.replace(
        state, step=jnp.where(state.step < 0, state.step, -1 - state.step).astype(jnp.int32)
    )


def resumed(state: TrainState) -> TrainState:
    """Undoes `halt`."""
    return dataclasses.replace(
        state, step=jnp.where(state.step < 0, -1 - state.step, state.step).astype(jnp.int32)
    )


def create(
    method: Method, optimizer: optax.GradientTransformation, config: OptimizerConfig, seed: int
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
        params=params,
        method_state=method_state,
        opt_state=optimizer.init(params),
        plateau=plateau,
    )
