"""The images of one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from uaps_jax.data.source import Images, Pool


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingPools:
    """The images of one run.

    Attributes:
      train: "labeled" and, where the method wants it, "unlabeled": all in memory, to live on the
        devices, or all in files, to be streamed. Masks of unlabeled images are never handed on.
      val: for choosing the checkpoint.
      probe: unlabeled images with their hidden truth, for measuring pseudo-labels and nothing
        else; None where nothing is to be measured.
      labeled_shares: class -> percent of the labeled pixels, which pseudo-labels are held against.
    """

    train: Mapping[str, Images]
    val: Pool
    probe: Pool | None
    labeled_shares: Mapping[str, float]
