"""What a step draws from: the one description that methods, data and training share."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stream:
    """Images that a step draws.

    Attributes:
      pool: "labeled" or "unlabeled".
      batch: images a step, over all devices.
      fields: which arrays of an image: "image", and "mask" of a labeled one.
    """

    pool: str
    batch: int
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        """Checks that no hidden truth is asked for."""
        if self.pool != "labeled" and "mask" in self.fields:
            raise ValueError(f"a stream of pool {self.pool!r} has no masks")
