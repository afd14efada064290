"""The streams of images that a step draws its batches from."""

from __future__ import annotations

import dataclasses

FIELDS = ("image", "mask")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stream:
    """Images that a step draws.

    Attributes:
      pool: "labeled" or "unlabeled".
      batch: images per step, over all devices.
      fields: the arrays of an image: "image", and "mask" in the labeled pool.
    """

    pool: str
    batch: int
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := set(self.fields) - set(FIELDS):
            raise ValueError(f"a stream has the fields {', '.join(FIELDS)}, not {min(unknown)!r}")
        if self.pool != "labeled" and "mask" in self.fields:
            raise ValueError(f"a stream of pool {self.pool!r} has no masks")
