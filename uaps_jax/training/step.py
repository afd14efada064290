"""The training step: views, loss and update in one compiled program."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from uaps_jax import compiler
from uaps_jax.config import Config
from uaps_jax.methods.base import Hyperparameters, Inputs, Method, Write
from uaps_jax.training import optimizers
from uaps_jax.training.sharding import Shardings
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree

VIEWS, LOSS, PIECES = 0, 1, 2  # uses of a step's key
FINITE = ("loss", "gradient_norm", "state_norm")
"""Metrics that must be finite; otherwise the step changes nothing."""

StepFunction = Callable[..., tuple[TrainState, Tree]]


def make_train_step(
    method: Method,
    optimizer: optax.GradientTransformationExtraArgs,
    config: Config,
    shardings: Shardings,
) -> StepFunction:
    """The jitted step `(state, batch, key, hyperparameters) -> (state, metrics)`.

    Args:
      method: to train.
      optimizer: from `optimizers.build`.
      config: for the schedule, the number of steps and the pieces of a batch.
      shardings: of the batch and of everything else.

    Returns:
      The step; its state is donated. `batch` is from `feed.batches`. `key` is the key of the run:
      all random values are a function of it and of `state.step`. `hyperparameters` are
      `traced_hyperparameters`. A step whose loss, gradient or new state is not finite changes only
      `state.halted`; later steps change nothing.
    """

    def train_step(
        state: TrainState, batch: Tree, key: jax.Array, hyperparameters: Hyperparameters
    ) -> tuple[TrainState, Tree]:
        batch = jax.lax.with_sharding_constraint(batch, shardings.batch)
        learnt = learn(method, config, state, batch, key, hyperparameters)
        rate = optimizers.learning_rate(
            config.optimizer, state.plateau, state.step, config.train.steps
        )
        updates, opt_state = optimizer.update(
            learnt.gradients, state.opt_state, state.params, learning_rate=rate
        )
        params = optax.apply_updates(state.params, updates)
        method_state = method.after_update(params, learnt.method_state, state.step, hyperparameters)
        metrics = {
            "loss": learnt.loss,
            **learnt.metrics,
            "learning_rate": rate,
            "gradient_norm": optax.tree.norm(learnt.gradients),
            "state_norm": _norm((params, method_state, learnt.writes)),
        }
        checked = [jnp.asarray(metrics[name], jnp.float32) for name in FINITE]
        is_valid = jnp.isfinite(jnp.stack(checked)).all() & ~state.halted

        def kept(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(is_valid, a, b), new, old)

        new_state = TrainState(
            step=kept(state.step + 1, state.step),
            halted=~is_valid,
            params=kept(params, state.params),
            method_state=kept(method_state, state.method_state),
            memory=_written(state.memory, learnt.writes, is_valid),
            opt_state=kept(opt_state, state.opt_state),
            plateau=state.plateau,
        )
        return new_state, metrics

    out = (shardings.replicated, shardings.replicated)
    return compiler.jit_optimized(
        train_step,
        deterministic=config.train.deterministic,
        donate_argnums=0,
        out_shardings=out,
    )


def _written(memory: Tree, writes: Sequence[Mapping[str, Write]], is_valid: jax.Array) -> Tree:
    """The memory after a step; without `is_valid` no row is written, so no copy is needed."""
    written = dict(memory)
    for of_piece in writes:
        for name, write in of_piece.items():
            array = written[name]
            at = jnp.where(is_valid & (write.at >= 0), write.at, len(array))
            written[name] = array.at[at].set(write.rows.astype(array.dtype), mode="drop")
    return written


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Learnt:
    """The loss of a batch, its gradients and the new state of the method.

    Attributes:
      loss: a scalar.
      metrics: name -> a scalar.
      gradients: of the params.
      method_state: the new state of the method.
      writes: into its memory, of each piece of the batch in order.
    """

    loss: jax.Array
    metrics: Tree
    gradients: Tree
    method_state: Tree
    writes: Sequence[Mapping[str, Write]]


def learn(
    method: Method,
    config: Config,
    state: TrainState,
    batch: Tree,
    key: jax.Array,
    hyperparameters: Hyperparameters,
) -> Learnt:
    """Loss, metrics, gradients and new state of a batch.

    With `train.accumulate` > 1, the batch is divided into this many pieces; loss, metrics and
    gradients are the means over the pieces. Each piece has its own batch statistics, which update
    the running ones in order. All pieces read the memory from before the step, and write in order:
    a row of a later piece replaces that of an earlier one.
    """

    def once(method_state: Tree, batch: Tree, key: jax.Array) -> Learnt:
        views = method.views(jax.random.fold_in(key, VIEWS), batch)

        def loss(params: Tree) -> tuple[jax.Array, Any]:
            inputs = Inputs(
                params=params,
                state=method_state,
                memory=state.memory,
                views=views,
                key=jax.random.fold_in(key, LOSS),
                step=state.step,
                hyperparameters=hyperparameters,
            )
            result = method.loss(inputs)
            return result.loss, (result.metrics, result.state, dict(result.writes))

        (value, (metrics, new_state, writes)), gradients = jax.value_and_grad(loss, has_aux=True)(
            state.params
        )
        return Learnt(
            loss=value,
            metrics=metrics,
            gradients=gradients,
            method_state=new_state,
            writes=(writes,),
        )

    step_key = jax.random.fold_in(key, state.step)
    count = config.train.accumulate
    if count == 1:
        return once(state.method_state, batch, step_key)
    pieces = jax.tree.map(lambda rows: _pieces(rows, count), batch)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.fold_in(step_key, PIECES), jnp.arange(count)
    )

    def add(carried: tuple[Tree, Any], piece: Any) -> tuple[tuple[Tree, Any], Any]:
        learnt = once(carried[0], *piece)
        sums = jax.tree.map(jnp.add, carried[1], _summed(learnt))
        return (learnt.method_state, sums), learnt.writes[0]

    shapes = jax.eval_shape(
        lambda *first: _summed(once(*first)),
        state.method_state,
        *jax.tree.map(lambda v: v[0], (pieces, keys)),
    )
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (method_state, sums), writes = jax.lax.scan(add, (state.method_state, zeros), (pieces, keys))
    loss, metrics, gradients = jax.tree.map(lambda total: total / count, sums)
    return Learnt(
        loss=loss,
        metrics=metrics,
        gradients=gradients,
        method_state=method_state,
        writes=tuple(jax.tree.map(lambda rows, n=n: rows[n], writes) for n in range(count)),
    )


def _summed(learnt: Learnt) -> tuple[jax.Array, Tree, Tree]:
    return learnt.loss, learnt.metrics, learnt.gradients


def _norm(tree: Any) -> jax.Array:
    """Euclidean norm of all floating-point arrays of a tree."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return optax.tree.norm([x.astype(jnp.promote_types(x.dtype, jnp.float32)) for x in leaves])


def _pieces(rows: jax.Array, count: int) -> jax.Array:
    """`[B, ...]` as `[count, B / count, ...]`; each piece has rows of every device."""
    return jnp.swapaxes(rows.reshape(-1, count, *rows.shape[1:]), 0, 1)


def traced_hyperparameters(method: Method) -> dict[str, jax.Array]:
    """The method's hyperparameters as arrays, so that other values need no compilation."""
    return {name: jnp.asarray(value, jnp.float32) for name, value in method.hyperparameters.items()}
