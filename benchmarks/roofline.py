"""The measured peak rates of a device, for comparison with those of a program."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.measuring import seconds

COPY_MIB = 256
MATRIX = {"cpu": 2048, "gpu": 8192}
REPEATS = 7


def rates(dtype: str) -> dict[str, float]:
    """Bytes a second of a copy (read and written ones), operations a second of a matrix product."""
    elements = COPY_MIB * 2**20 // 4
    vector = jnp.ones(elements, jnp.float32)
    copying = _seconds(jax.jit(lambda x: x + 1), vector)
    side = MATRIX.get(jax.default_backend(), 2048)
    matrix = jnp.ones((side, side), dtype)
    multiplying = _seconds(jax.jit(lambda a: a @ a), matrix)
    return {
        "copy_bytes_per_second": 2 * 4 * elements / copying,
        "matmul_flops_per_second": 2 * side**3 / multiplying,
    }


def _seconds(function: Callable[[jax.Array], Any], argument: jax.Array) -> float:
    jax.block_until_ready(function(argument))
    return statistics.median(seconds(lambda: jax.block_until_ready(function(argument)), REPEATS))
