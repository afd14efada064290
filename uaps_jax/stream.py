"""The streams of images that a step draws its batches from."""

from __future__ import annotations

import dataclasses

FIELDS = ("image", "mask", "weight")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream of training images.

    Attributes:
      pool: where its images are drawn from, "labeled" or "unlabeled".
      batch: images per step, over all devices.
      fields: arrays of each image: "image"; "mask", from the pool `data.targets.part` that of
        `data.targets`; "weight" of each pixel, from that pool only, from there as well.
    """

    pool: str
    batch: int
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := set(self.fields) - set(FIELDS):
            raise ValueError(
                f"the fields of a stream are {', '.join(FIELDS)}, not {min(unknown)!r}"
            )
