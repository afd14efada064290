"""The streams of images that a step draws its batches from."""

from __future__ import annotations

import dataclasses

FIELDS = ("image", "mask")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream of training images.

    Attributes:
      pool: where its images are drawn from, "labeled" or "unlabeled".
      batch: images per step, over all devices.
      fields: arrays of each image: "image", and "mask" from the labeled pool.
    """

    pool: str
    batch: int
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := set(self.fields) - set(FIELDS):
            raise ValueError(
                f"the fields of a stream are {', '.join(FIELDS)}, not {min(unknown)!r}"
            )
        if self.pool != "labeled" and "mask" in self.fields:
            raise ValueError(
                f"a stream of the pool {self.pool!r} has no masks: remove the field 'mask'"
            )
