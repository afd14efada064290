"""Copies of a network from earlier steps, kept in a method's memory.

A copy is made every `interval` steps; the newest replaces the oldest of `count`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.methods.base import Write
from uaps_jax.models.network import Network, main_variables
from uaps_jax.trees import Tree, named_leaves

MOST = 3
"""Snapshots that are mixed at a time (PrevMatch)."""


def memory(network: Network, count: int) -> dict[str, np.ndarray]:
    """The arrays of `count` snapshots of encoder and main decoder, by name `[count, ...]`."""
    shapes = named_leaves(main_variables_shapes(network))
    return {name: np.zeros((count, *leaf.shape), leaf.dtype) for name, leaf in shapes.items()}


def main_variables_shapes(network: Network) -> Tree:
    shapes: Tree = jax.eval_shape(main_variables, network.shapes())
    return shapes


def writes(variables: Tree, step: jax.Array, interval: int, count: int) -> dict[str, Write]:
    """The snapshot of a step; no row is written at a step without one.

    Args:
      variables: `{"params", "batch_stats"}` before the step.
      step: 0-based; there are snapshots at the multiples of `interval`, except 0.
      interval: steps from one to the next.
      count: of the rows.
    """
    row = jnp.where(step % interval == 0, (step // interval - 1) % count, count)
    row = jnp.where(step == 0, count, row)
    leaves = named_leaves(jax.lax.stop_gradient(main_variables(variables)))
    return {name: Write(row[None], leaf[None]) for name, leaf in leaves.items()}


def stored(step: jax.Array, interval: int, count: int) -> jax.Array:
    """How many snapshots there are when a step begins."""
    return jnp.clip((step - 1) // interval, 0, count)


def take(memory: Tree, row: jax.Array, network: Network) -> Tree:
    """The variables of a snapshot."""
    shapes = main_variables_shapes(network)
    leaves = [jnp.asarray(memory[name])[row] for name in named_leaves(shapes)]
    variables: Tree = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
    return variables


def draw(key: jax.Array, available: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """`MOST` rows and their weights: k ~ U{1..MOST} different snapshots, Dirichlet(1) weights.

    The weights of the other rows, and of all rows if there is no snapshot, are 0.

    Args:
      key: of this step.
      available: number of snapshots, whose rows are the first ones.
      count: of the rows.
    """
    order_key, number_key, weight_key = jax.random.split(key, 3)
    scores = jax.random.uniform(order_key, (count,))
    rows = jnp.argsort(jnp.where(jnp.arange(count) < available, scores, 2.0))[:MOST]
    number = jnp.minimum(jax.random.randint(number_key, (), 1, MOST + 1), available)
    raw = jax.random.exponential(weight_key, rows.shape) * (jnp.arange(len(rows)) < number)
    return rows, raw / jnp.maximum(raw.sum(), jnp.finfo(raw.dtype).tiny)
