"""Weights and images that PyTorch's side and the tests make alike, from names and shapes alone."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from uaps_jax.weights.names import Rule, Table

SIZE = 64
NUMBERS = 24  # of an array that are compared


UNET_DECODER = Table(
    title="U-Net's decoder",
    anchor="classifier.weight",
    first="",
    inside=r"(reduce|block|classifier)",
    rules=(
        Rule(r"reduce_(\d)", r"reduce_\1", "convolution"),
        Rule(r"block_(\d)\.conv_(\d)", r"block_\1/conv_\2", "convolution"),
        Rule(r"block_(\d)\.norm_(\d)", r"block_\1/norm_\2", "norm"),
        Rule(r"classifier", "classifier", "convolution"),
    ),
    left_out={r"_.*": "encoder"},
)
"""Our own names; `torch_lite0` has them, too."""


def state(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """A state dictionary whose activations stay of order one: He et al.'s variance, float32."""
    return {name: _values(name, tuple(shape), shapes) for name, shape in shapes.items()}


def _values(name: str, shape: tuple[int, ...], shapes: Mapping[str, Sequence[int]]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    module, _, array = name.rpartition(".")
    if f"{module}.running_var" in shapes:
        low, high = {"running_var": (0.5, 1.5), "weight": (0.3, 0.7)}.get(array, (-0.3, 0.3))
        return rng.uniform(low, high, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.uniform(-0.1, 0.1, shape).astype(np.float32)
    return (rng.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)


def images() -> np.ndarray:
    """Two images, float32 `[2, SIZE, SIZE, 3]`."""
    return np.random.default_rng(0).normal(size=(2, SIZE, SIZE, 3)).astype(np.float32)


def numbers(array: np.ndarray) -> list[float]:
    """Entries of an array, evenly spaced in row-major order, and their root mean square."""
    flat = np.asarray(array, np.float64).ravel()
    chosen = flat[np.linspace(0, flat.size - 1, NUMBERS).astype(int)]
    return [float(f"{x:.6g}") for x in (*chosen, (flat**2).mean() ** 0.5)]
