"""Number of multiply-accumulates of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend import core


def macs(function: Callable[..., Any], *arguments: Any) -> int:
    """Multiply-accumulates of all convolutions of a function; each bias addition counts as one.

    As in UAPS's paper, normalisation, activations, pooling and interpolation are not counted.
    Depthwise convolutions, which are computed as sums (`models/depthwise.py`), are not either.
    The function is traced, not compiled or run.

    Args:
      function: of arrays, such as `UNet.main_logits`.
      *arguments: arrays or `jax.ShapeDtypeStruct`.
    """
    total = 0
    for equation in _equations(jax.make_jaxpr(function)(*arguments).jaxpr):
        if equation.primitive.name != "conv_general_dilated":
            continue
        numbers = equation.params["dimension_numbers"]
        kernel = equation.invars[1].aval.shape
        outputs = math.prod(equation.outvars[0].aval.shape)
        per_output = math.prod(kernel) // kernel[numbers.rhs_spec[0]]
        total += outputs * (per_output + 1)
    return total


def _equations(jaxpr: core.Jaxpr) -> Iterator[Any]:
    """All equations, including those of inner functions."""
    for equation in jaxpr.eqns:
        inner = [
            value.jaxpr if isinstance(value, core.ClosedJaxpr) else value
            for value in jax.tree.leaves(
                list(equation.params.values()),
                is_leaf=lambda v: isinstance(v, core.Jaxpr | core.ClosedJaxpr),
            )
            if isinstance(value, core.Jaxpr | core.ClosedJaxpr)
        ]
        if not inner:
            yield equation
        for function in inner:
            yield from _equations(function)
