"""Functions that stay one equation of a traced program, so that an exporter sees them whole.

The jaxpr of a network has the primitives of `jax.lax`: a pooling is there as slices and
comparisons. Other formats have an operator for it. A function under `operation` is an equation with
a name of its own, which an exporter replaces by that operator; compilers inline it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Operation(NamedTuple):
    """The operation that an equation of a jaxpr stands for.

    Attributes:
      function: the function under `operation`.
      arguments: its keyword arguments.
    """

    function: Callable[..., jax.Array]
    arguments: dict[str, Any]


_OPERATIONS: dict[str, Operation] = {}


def operation(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Makes a function one equation of the jaxpr of its callers.

    Positional arguments are arrays; keyword arguments are static and hashable. The equation is that
    of `jax.jit`, whose name, with the module and the keyword arguments, no other function has.
    """

    @functools.cache
    def jitted(**arguments: Any) -> Callable[..., jax.Array]:
        def whole(*arrays: jax.Array) -> jax.Array:
            return function(*arrays, **arguments)

        settings = ", ".join(f"{name}={value}" for name, value in arguments.items())
        whole.__name__ = f"{function.__module__}.{function.__qualname__}({settings})"
        _OPERATIONS[whole.__name__] = Operation(marked, arguments)
        return jax.jit(whole)

    @functools.wraps(function)
    def marked(*arrays: jax.Array, **arguments: Any) -> jax.Array:
        return jitted(**arguments)(*arrays)

    return marked


def of(equation: Any) -> Operation | None:
    """The operation of an equation of a jaxpr; None for any other equation."""
    return _OPERATIONS.get(equation.params.get("name", ""))
