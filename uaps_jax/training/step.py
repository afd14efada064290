"""The train step: views, loss, update, all in one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from uaps_jax import compiler
from uaps_jax.config import Config
from uaps_jax.methods.base import Method
from uaps_jax.training import optimizers
from uaps_jax.training.sharding import Shardings
from uaps_jax.training.state import TrainState, halt
from uaps_jax.trees import Tree

VIEWS, LOSS, PIECES = 0, 1, 2  # uses of a step's key
FINITE = ("loss", "gradient_norm", "state_norm")
"""What a step measures that has to be finite, or it changes nothing."""

StepFunction = Callable[..., tuple[TrainState, Tree]]


def make_train_step(
    method: Method,
    optimizer: optax.GradientTransformation,
    config: Config,
    shardings: Shardings,
) -> StepFunction:
    """Compiles lazily to `(state, batch, key, weights) -> (state, measurements)`.

    Args:
      method: what to learn.
      optimizer: from `optimizers.adam`.
      config: the schedule and the number of steps are read from it.
      shardings: of the batch and of everything else.

    Returns:
      The jitted step; its state is donated. `batch` is one of `feed.batches`. `key` is the run's
      key: everything random is a function of it and of `state.step`. `weights`
      are `method.weights`. A step whose loss, gradient or new state is not finite changes nothing
      but `state.step`, which halts the run (`TrainState`).
    """

    def train_step(
        state: TrainState,
        batch: Tree,
        key: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[TrainState, Tree]:
        batch = jax.lax.with_sharding_constraint(batch, shardings.batch)
        method_state, (value, parts, gradients) = learn(method, config, state, batch, key, weights)
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
            "state_norm": _norm((params, new_state.method_state)),
        }
        watched = [measurements[name] for name in FINITE]
        sound = jnp.isfinite(jnp.stack([jnp.asarray(x, jnp.float32) for x in watched])).all()
        kept = jax.tree.map(
            lambda new, old: jnp.where(sound & (state.step >= 0), new, old), new_state, halt(state)
        )
        return kept, measurements

    out = (shardings.replicated, shardings.replicated)
    return compiler.jit_for_long(
        train_step,
        deterministic=config.train.deterministic,
        donate_argnums=0,
        out_shardings=out,
    )


def learn(
    method: Method,
    config: Config,
    state: TrainState,
    batch: Tree,
    key: jax.Array,
    weights: Mapping[str, jax.Array],
) -> tuple[Tree, tuple[jax.Array, Tree, Tree]]:
    """The method's new state; and loss, measurements and gradients of a batch.

    With `train.accumulate` > 1, a batch comes in so many pieces, one after another, and the means
    of what they give are taken; each piece has its own batch statistics, and the running ones take
    them in turn.
    """

    def once(
        method_state: Tree, batch: Tree, key: jax.Array
    ) -> tuple[Tree, tuple[jax.Array, Tree, Tree]]:
        views = method.views(jax.random.fold_in(key, VIEWS), batch)

        def loss(params: Tree) -> tuple[jax.Array, tuple[Tree, Tree]]:
            loss_key = jax.random.fold_in(key, LOSS)
            return method.loss(params, method_state, views, loss_key, state.step, weights)

        (value, (method_state, parts)), gradients = jax.value_and_grad(loss, has_aux=True)(
            state.params
        )
        return method_state, (value, parts, gradients)

    step_key = jax.random.fold_in(key, state.step)
    count = config.train.accumulate
    if count == 1:
        return once(state.method_state, batch, step_key)
    pieces = jax.tree.map(lambda rows: _pieces(rows, count), batch)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.fold_in(step_key, PIECES), jnp.arange(count)
    )

    def add(carried: tuple[Tree, Any], piece: Any) -> tuple[tuple[Tree, Any], None]:
        method_state, found = once(carried[0], *piece)
        return (method_state, jax.tree.map(jnp.add, carried[1], found)), None

    shapes = jax.eval_shape(
        lambda *first: once(*first)[1],
        state.method_state,
        *jax.tree.map(lambda v: v[0], (pieces, keys)),
    )
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (method_state, sums), _ = jax.lax.scan(add, (state.method_state, nothing), (pieces, keys))
    return method_state, jax.tree.map(lambda total: total / count, sums)


def _norm(tree: Any) -> jax.Array:
    """Euclidean norm of all the floating-point numbers of a tree."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return optax.tree.norm([x.astype(jnp.promote_types(x.dtype, jnp.float32)) for x in leaves])


def _pieces(rows: jax.Array, count: int) -> jax.Array:
    """`[B, ...]` as `[count, B / count, ...]`, each piece with a share of every device's rows."""
    apart = rows.reshape(-1, count, *rows.shape[1:])
    return jnp.swapaxes(apart, 0, 1)


def traced_weights(method: Method) -> dict[str, Any]:
    """The method's weights as arrays: another value is no reason to compile again."""
    return {name: jnp.asarray(value, jnp.float32) for name, value in method.weights.items()}
