"""The images of one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from uaps_jax.data.source import Images, Pool
from uaps_jax.data.whole_images import WholeImages


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingPools:
    """The images of one run.

    Attributes:
      train: "labeled" and, if the method uses it, "unlabeled": all in memory, to be copied to the
        devices, or all in files, to be streamed, or all cut into crops. Masks of unlabeled images
        are not used.
      val: for the selection of the best checkpoint.
      probe: unlabeled images with their masks, only for the metrics of pseudo-labels; None without
        these metrics.
      labeled_shares: class -> percent of the labeled pixels, for comparison with pseudo-labels
        and a warning of absent classes; empty if it was not counted.
    """

    train: Mapping[str, Images]
    val: Pool | WholeImages
    probe: Pool | None
    labeled_shares: Mapping[str, float]
