"""Options of the compiler for programs that run for long."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_DOT"
}
"""Convolutions by Eigen rather than YNNPACK, which takes twice as long from 32 channels on."""


def jit_for_long(function: Callable[..., Any], **arguments: Any) -> Any:
    """`jax.jit(function, **arguments)` with the options that pay on this backend."""
    return jax.jit(function, compiler_options=dict(_options()) or None, **arguments)


@functools.cache
def _options() -> tuple[tuple[str, str], ...]:
    """The options for this backend, none where this version of XLA does not know them."""
    if jax.default_backend() != "cpu":
        return ()
    try:
        jax.jit(lambda x: x, compiler_options=CPU_OPTIONS).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return ()
    return tuple(CPU_OPTIONS.items())
