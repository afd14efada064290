"""Trees whose leaves have a leading axis over several decoders or networks of one architecture.

`jax.vmap` runs a function on every entry; the convolutions of `looped_conv` stay plain under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
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
