"""How unsure an ensemble is of every pixel: probabilities `[M, H, W, C]` to `[H, W]`.

The M members are any predictions of one image: decoders, networks, teacher and student, passes with
dropout, flips that are turned back, checkpoints. p_m are their probabilities, q their mean.
Entropies are in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

Map = Callable[[np.ndarray], np.ndarray]
Uncertainty = Literal[
    "entropy", "least_confidence", "margin", "bald", "vote_entropy", "temporal_disagreement"
]


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """H(q) = -sum_c q_c log q_c, from 0 to log C (Shannon)."""
    return _entropy(probabilities.mean(0, dtype=np.float64))


def least_confidence(probabilities: np.ndarray) -> np.ndarray:
    """1 - max_c q_c, from 0 to 1 - 1/C (Lewis and Gale 1994)."""
    confidence: np.ndarray = probabilities.mean(0, dtype=np.float64).max(-1)
    return 1 - confidence


def margin(probabilities: np.ndarray) -> np.ndarray:
    """1 - (the largest q_c - the second), from 0 to 1 (Scheffer et al. 2001)."""
    ordered = np.sort(probabilities.mean(0, dtype=np.float64), axis=-1)
    gap: np.ndarray = ordered[..., -1] - ordered[..., -2]
    return 1 - gap


def bald(probabilities: np.ndarray) -> np.ndarray:
    """H(q) - mean_m H(p_m), the mutual information, from 0 to log C (Houlsby et al. 2011).

    It is the mean KL of the members to their mean, UAPS's uncertainty of its decoders: high where
    each member is sure and they contradict each other, low where all see the same ambiguity.

    Raises:
      ValueError: there is one member only.
    """
    _check_ensemble(probabilities, "bald")
    own = _entropy(probabilities.astype(np.float64)).mean(0)
    return np.maximum(entropy(probabilities) - own, 0)


def vote_entropy(probabilities: np.ndarray) -> np.ndarray:
    """H of the shares of the members that find each class most probable (Dagan and Engelson 1995).

    Raises:
      ValueError: there is one member only.
    """
    _check_ensemble(probabilities, "vote_entropy")
    votes = probabilities.argmax(-1)
    classes = np.arange(probabilities.shape[-1])
    shares = (votes[..., None] == classes).mean(0, dtype=np.float64)
    return _entropy(shares)


def temporal_disagreement(probabilities: np.ndarray) -> np.ndarray:
    """mean_m 1/2 |p_m - p_M|_1 over the members m < M, from 0 to 1.

    For checkpoints of one run in their order, the newest last (Huang et al. 2021, ST++): how much
    of the probability went to other classes since.

    Raises:
      ValueError: there is one member only.
    """
    _check_ensemble(probabilities, "temporal_disagreement")
    wide = probabilities.astype(np.float64)
    moved: np.ndarray = np.abs(wide[:-1] - wide[-1]).sum(-1).mean(0) / 2
    return moved


UNCERTAINTIES: Mapping[Uncertainty, Map] = {
    "entropy": entropy,
    "least_confidence": least_confidence,
    "margin": margin,
    "bald": bald,
    "vote_entropy": vote_entropy,
    "temporal_disagreement": temporal_disagreement,
}


def _entropy(p: np.ndarray) -> np.ndarray:
    terms = p * np.log(np.where(p > 0, p, 1))
    total: np.ndarray = terms.sum(-1)
    return -total


def _check_ensemble(probabilities: np.ndarray, name: str) -> None:
    if len(probabilities) < 2:
        raise ValueError(
            f"{name} compares the members of an ensemble, and there is one: use entropy, margin or "
            "least_confidence, or a method with several decoders, networks or a teacher"
        )
