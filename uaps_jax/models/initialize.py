"""Initial values, computed by numpy.

Compiling the random initialisers of a few hundred tensors takes longer than a hundred training
steps on a CPU, so only the shapes come from JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from uaps_jax.trees import Tree

Draw = Callable[[np.random.Generator, tuple[int, ...], tuple[int, ...], bool], np.ndarray]
"""`(generator, shape of a kernel without stacked axes, shape to fill, whether it is depthwise)` to
the values of the kernel, or of its bias."""


def uniform(
    generator: np.random.Generator,
    kernel: tuple[int, ...],
    shape: tuple[int, ...],
    is_depthwise: bool,
) -> np.ndarray:
    """PyTorch's default: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), for a kernel and its bias."""
    del is_depthwise  # its fan_in is the size of the kernel: it has one input channel
    bound = 1 / np.sqrt(np.prod(kernel[:-1]))
    return generator.uniform(-bound, bound, shape)


def kaiming(
    generator: np.random.Generator,
    kernel: tuple[int, ...],
    shape: tuple[int, ...],
    is_depthwise: bool,
) -> np.ndarray:
    """N(0, 2 / fan_out) (He et al. 2015), as torchvision's ResNets and EfficientNet have it."""
    fan_out = np.prod(kernel[:2]) * (1 if is_depthwise else kernel[-1])
    return generator.normal(0, np.sqrt(2 / fan_out), shape)


def fill(shapes: Tree, seed: int, draws: Mapping[str, Draw] | None = None) -> Tree:
    """Fills a tree of `ShapeDtypeStruct` with initial values.

    Kernels `[..., kh, kw, C_in, C_out]` or `[..., C_in, C_out]` and their biases `[..., C_out]`
    are drawn; axes in front are stacked networks. A kernel without a bias is that of a convolution.
    BatchNorm's `scale` and running `var` are one, its `bias` and running `mean` zero.

    Args:
      shapes: nested dicts, as `jax.eval_shape(module.init, ...)` returns them.
      seed: seed of the draw; leaves are filled in the order of their sorted paths.
      draws: how kernels below a name are drawn; `uniform` elsewhere.

    Returns:
      The same tree with numpy arrays.

    Raises:
      ValueError: a leaf has an unknown name.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    return _fill(shapes, generator, (), draws or {}, uniform)


def _fill(
    node: Mapping[str, Any],
    generator: np.random.Generator,
    path: tuple[str, ...],
    draws: Mapping[str, Draw],
    draw: Draw,
) -> Tree:
    kernel: tuple[int, ...] | None = None
    if "kernel" in node:
        shape = node["kernel"].shape
        stacked = node["bias"].ndim - 1 if "bias" in node else len(shape) - 4
        kernel = shape[stacked:]
    filled: Tree = {}
    for name in sorted(node):
        leaf = node[name]
        if isinstance(leaf, Mapping):
            inside = (*path, name)
            filled[name] = _fill(leaf, generator, inside, draws, draws.get(name, draw))
        elif name in ("kernel", "bias") and kernel is not None:
            is_depthwise = "depthwise" in path
            filled[name] = draw(generator, kernel, leaf.shape, is_depthwise).astype(leaf.dtype)
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
