"""The extra heads that a method asks of its networks."""

from __future__ import annotations

import dataclasses
from typing import Literal

HeadKind = Literal["linear", "projection", "fcn", "class_activation"]
"""What `uaps_jax.models.heads` builds."""


@dataclasses.dataclass(frozen=True)
class Head:
    """An extra head of a network.

    Attributes:
      kind: its layers, and what they read.
      channels: of its output.
    """

    kind: HeadKind
    channels: int
