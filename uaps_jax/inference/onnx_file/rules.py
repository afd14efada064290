"""The form of the rules that translate equations of a jaxpr."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uaps_jax.inference.onnx_file.values import Scope, Tensor, Value
from uaps_jax.inference.outputs import ExportError
from uaps_jax.models import operations
from uaps_jax.models.operations import Operation


@dataclasses.dataclass(frozen=True)
class Equation:
    """An equation of a jaxpr.

    Attributes:
      primitive: its name.
      parameters: by name.
      values: of the inputs.
      inputs: shapes and types, `.shape`, `.ndim` and `.dtype`.
      outputs: likewise.
      place: where in the network it is, such as "Encoder/block_0"; may be empty.
      operation: that it stands for; None for a primitive of JAX.
    """

    primitive: str
    parameters: Mapping[str, Any]
    values: Sequence[Value]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    place: str
    operation: Operation | None

    @property
    def output(self) -> Any:
        """The first output."""
        return self.outputs[0]

    def full(self, scope: Scope, number: int = 0) -> Tensor:
        """An input in its whole size."""
        return scope.full(self.values[number], self.inputs[number].shape)

    def refusal(self, form: str = "") -> ExportError:
        """The error that the equation has no ONNX form.

        Args:
          form: what of its primitive, such as "with a computed kernel"; empty for all of it.
        """
        place = f"in {self.place}" if self.place else ""
        words = " ".join(filter(None, (self.primitive, form, place)))
        return ExportError(f"the operation {words} has no ONNX form")


Rule = Callable[[Scope, Equation], Value]
"""`(scope, equation)` to the value of its output."""

SeveralRule = Callable[[Scope, Equation], Sequence[Value]]
"""Likewise, of an equation with any number of outputs."""


def equation(jax_equation: Any, values: Sequence[Value], place: str) -> Equation:
    """An equation of a `jax.extend.core.Jaxpr` with the values of its inputs.

    Args:
      jax_equation: the equation.
      values: of its inputs.
      place: of the jaxpr in the network.
    """
    inputs, outputs = (
        [variable.aval for variable in variables]
        for variables in (jax_equation.invars, jax_equation.outvars)
    )
    return Equation(
        primitive=jax_equation.primitive.name,
        parameters=jax_equation.params,
        values=values,
        inputs=inputs,
        outputs=outputs,
        place="/".join(filter(None, (place, str(jax_equation.source_info.name_stack)))),
        operation=operations.of(jax_equation),
    )
