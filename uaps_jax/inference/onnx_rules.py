"""The form of the rules that translate equations of a jaxpr."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jax.extend import core

from uaps_jax.inference.onnx_graph import ExportError
from uaps_jax.inference.onnx_values import Scope, Value

Rule = Callable[[Scope, core.JaxprEqn, Sequence[Value]], Value]
"""`(scope, equation, values of its inputs)` to the value of its output."""

SeveralRule = Callable[[Scope, core.JaxprEqn, Sequence[Value]], Sequence[Value]]
"""Likewise, of an equation with any number of outputs."""


def refusal(equation: core.JaxprEqn, form: str = "") -> ExportError:
    """The error that an equation has no ONNX form.

    Args:
      equation: names the operation and the place in the network.
      form: what of the operation, such as "with a computed kernel"; empty for all of it.
    """
    words = [equation.primitive.name, form, _place(equation)]
    return ExportError(f"the operation {' '.join(filter(None, words))} has no ONNX form")


def _place(equation: core.JaxprEqn) -> str:
    names = str(equation.source_info.name_stack)
    return f"in {names}" if names else ""
