"""Trees whose leaves have a leading axis over several decoders or networks of one architecture.

`jax.vmap` of a function that is `looped` runs it on one entry after another. Without that, a
vmapped convolution becomes one *grouped* convolution, which is about 10 times slower in XLA on
CPUs and which its SPMD partitioner gathers over the batch (openxla/xla#47945).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def stack(trees: Sequence[Any]) -> Any:
    """Trees of numpy arrays `[...]` as one of `[N, ...]`."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def entry(stacked: Any, number: int) -> Any:
    """One entry of a stacked tree, without the leading axis."""
    return jax.tree.map(lambda leaf: leaf[number], stacked)


def shapes(tree: Any, count: int) -> Any:
    """Shapes `[count, ...]` of a tree of shapes `[...]`."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), tree)


def looped(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a batching rule that calls it once per entry and stacks the results.

    `jax.vmap(looped(function))` can be differentiated; `looped(function)` alone cannot.
    """
    mapped = jax.custom_batching.custom_vmap(function)

    def rule(axis_size: int, in_batched: Any, *args: Any) -> tuple[Any, Any]:
        leaves, structure = jax.tree.flatten(args)
        columns = [
            _entries(leaf) if batched else [leaf] * axis_size
            for leaf, batched in zip(leaves, jax.tree.leaves(in_batched), strict=True)
        ]
        results = [
            function(*jax.tree.unflatten(structure, row)) for row in zip(*columns, strict=True)
        ]
        results = jax.tree.map(lambda *arrays: jnp.stack(arrays), *results)
        return results, jax.tree.map(lambda _: True, results)

    mapped.def_vmap(rule)
    return mapped


def _entries(stacked: jax.Array) -> list[jax.Array]:
    """The entries of the leading axis.

    The gradient of a split is one concatenation; that of a slice is an array padded with zeros.
    """
    if jnp.issubdtype(stacked.dtype, jax.dtypes.prng_key):
        # They have no gradient, and JAX's check of their reuse does not know a split.
        return [stacked[number] for number in range(len(stacked))]
    return [part.squeeze(0) for part in jnp.split(stacked, len(stacked))]
