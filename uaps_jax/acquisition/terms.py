"""The parts of an image's entropy: what its members are all unsure of, and where they differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Terms(NamedTuple):
    """The two parts of the score `aggregation.top_share` of the entropy H(q), in nats.

    H(q) = mean_m H(p_m) + [H(q) - mean_m H(p_m)]: the mean entropy of the members, and their
    disagreement (BALD, Houlsby et al. 2011).

    Attributes:
      ambiguity: the mean of the first part; the whole score for a single member.
      disagreement: the mean of the second, over the same pixels; None for a single member.
    """

    ambiguity: float
    disagreement: float | None

    @property
    def score(self) -> float:
        """The sum."""
        return self.ambiguity + (self.disagreement or 0.0)


def of_top_share(entropy: np.ndarray, disagreement: np.ndarray | None, share: float) -> Terms:
    """The terms over the most uncertain pixels.

    Args:
      entropy: of the members' mean, `[H, W]`.
      disagreement: of the members, likewise; None for a single member.
      share: of the pixels, in (0, 1]; at least one pixel counts.
    """
    count = max(1, round(share * entropy.size))
    top = np.argpartition(entropy.reshape(-1), -count)[-count:]
    total = float(entropy.reshape(-1)[top].mean(dtype=np.float64))
    if disagreement is None:
        return Terms(total, None)
    # Rounding may make the part larger than the whole.
    part = min(float(disagreement.reshape(-1)[top].mean(dtype=np.float64)), total)
    return Terms(total - part, part)
