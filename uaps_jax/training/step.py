"""The train step: gather, views, loss, update, all in one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from uaps_jax.config import Config
from uaps_jax.methods.base import Method
from uaps_jax.training import compiler, optimizers
from uaps_jax.training.sharding import Shardings
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree

VIEWS, LOSS = 0, 1  # uses of a step's key

StepFunction = Callable[..., tuple[TrainState, Tree]]


def make_train_step(
    method: Method,
    optimizer: optax.GradientTransformation,
    config: Config,
    shardings: Shardings,
) -> StepFunction:
    """Compiles lazily to `(state, pools, indices, key, weights) -> (state, measurements)`.

    Args:
      method: what to learn.
      optimizer: from `optimizers.adam`.
      config: the schedule and the number of steps are read from it.
      shardings: of the batch and of everything else.

    Returns:
      The jitted step; its state is donated. `pools` holds `labeled` and `unlabeled`, each with
      `image` uint8 `[N, H, W, C]` (and `mask`), resident on the devices, and `fed` then is an
      int32 `[B]` per stream, the rows to show. With empty `pools`, `fed` is the batch itself.
      `key` is the run's key: everything random is a function of it and of `state.step`. `weights`
      are `method.weights`.
    """

    def train_step(
        state: TrainState,
        pools: Tree,
        fed: Tree,
        key: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[TrainState, Tree]:
        batch = fed
        if pools:
            batch = {
                stream: {name: array[fed[stream]] for name, array in pools[pool].items()}
                | {"index": fed[stream]}
                for stream, pool in method.streams.items()
            }
        batch = jax.lax.with_sharding_constraint(batch, shardings.batch)
        step_key = jax.random.fold_in(key, state.step)
        views = method.views(jax.random.fold_in(step_key, VIEWS), batch)

        def loss(params: Tree) -> tuple[jax.Array, tuple[Tree, Tree]]:
            loss_key = jax.random.fold_in(step_key, LOSS)
            return method.loss(params, state.method_state, views, loss_key, state.step, weights)

        (value, (method_state, parts)), gradients = jax.value_and_grad(loss, has_aux=True)(
            state.params
        )
        rate = optimizers.learning_rate(
            config.optimizer, state.plateau, state.step, config.train.steps
        )
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = jax.tree.map(
            lambda p, u: p - rate.astype(p.dtype) * u.astype(p.dtype), state.params, updates
        )
        new_state = TrainState(
            step=state.step + 1,
            params=params,
            method_state=method.after_update(params, method_state, state.step),
            opt_state=opt_state,
            plateau=state.plateau,
        )
        measurements = {
            "loss": value,
            **parts,
            "learning_rate": rate,
            "gradient_norm": optax.tree.norm(gradients),
        }
        return new_state, measurements

    out = (shardings.replicated, shardings.replicated)
    return compiler.jit_for_long(train_step, donate_argnums=0, out_shardings=out)


def traced_weights(method: Method) -> dict[str, Any]:
    """The method's weights as arrays: another value is no reason to compile again."""
    return {name: jnp.asarray(value, jnp.float32) for name, value in method.weights.items()}
