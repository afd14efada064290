"""PyTorch's default initialisation, computed by numpy.

Compiling the random initialisers of a few hundred tensors takes longer than a hundred training
steps on a CPU, so only the shapes come from JAX.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from uaps_jax.trees import Tree


def fill(shapes: Tree, seed: int) -> Tree:
    """Fills a tree of `ShapeDtypeStruct` with PyTorch's defaults.

    A layer with a `kernel` `[..., kh, kw, C_in, C_out]` or `[..., C_in, C_out]` gets kernel and
    bias `[..., C_out]` from U(-1/sqrt(fan_in), 1/sqrt(fan_in)); axes in front are stacked networks.
    A kernel without a bias is that of a convolution.
    BatchNorm's `scale` and running `var` are one, its `bias` and running `mean` zero.

    Args:
      shapes: nested dicts, as `jax.eval_shape(module.init, ...)` returns them.
      seed: seed of the draw; leaves are filled in the order of their sorted paths.

    Returns:
      The same tree with numpy arrays.

    Raises:
      ValueError: a leaf has an unknown name.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    return _fill(shapes, generator, ())


def _fill(node: Mapping[str, Any], generator: np.random.Generator, path: tuple[str, ...]) -> Tree:
    bound = None
    if "kernel" in node:
        shape = node["kernel"].shape
        stacked = node["bias"].ndim - 1 if "bias" in node else len(shape) - 4
        bound = 1 / np.sqrt(np.prod(shape[stacked:-1]))
    filled: Tree = {}
    for name in sorted(node):
        leaf = node[name]
        if isinstance(leaf, Mapping):
            filled[name] = _fill(leaf, generator, (*path, name))
        elif name in ("kernel", "bias") and bound is not None:
            filled[name] = generator.uniform(-bound, bound, leaf.shape).astype(leaf.dtype)
        elif name in ("scale", "var"):
            filled[name] = np.ones(leaf.shape, leaf.dtype)
        elif name in ("bias", "mean"):
            filled[name] = np.zeros(leaf.shape, leaf.dtype)
        else:
            raise ValueError(f"no initialisation for {'/'.join((*path, name))}")
    return filled


def count(tree: Tree) -> int:
    """Number of scalars in a tree of arrays or shapes."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))
