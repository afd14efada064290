"""Cross-consistency training (Ouali et al. 2020), as UAPS's study computes it.

UAPS's network, one clean and K - 1 perturbed decoders, dropout rate 0.3:

    L   = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(p_k(x), y)] + w(t) L_c
    L_c = 1/(K - 1) sum_{k > 1} mean (p_1(u) - p_k(u))^2

Both sides of L_c carry gradients.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import jax

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import consistency
from uaps_jax.methods import one_network, supervised
from uaps_jax.methods.base import Method, all_kept
from uaps_jax.methods.loss import Seen, Term, one_objective
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


@dataclass(slots=True, kw_only=True)
class CctConfig(c.RampedConfig):
    name: ClassVar[str] = "cct"
    ramp_share: ClassVar[float] = 0.85  # 30,000 of 35,341 steps
    auxiliary: ClassVar[tuple[float, float]] = (1, math.inf)

    weight: float = field(metadata=c.at_least(0))  # w, weight of the consistency term


def objective(
    labeled_logits: jax.Array, unlabeled_logits: jax.Array, labels: jax.Array, weight: jax.Array
) -> tuple[jax.Array, Tree]:
    """The loss of one step from logits `[K, B, H, W, C]` and labels `[B, H, W]`.

    Returns:
      The total and its terms by name.
    """
    l_sup = supervised.objective(labeled_logits, labels)
    p = jax.nn.softmax(unlabeled_logits)
    l_c = consistency.mean_squared(p[:1], p[1:])
    return l_sup + weight * l_c, {"supervised": l_sup, "consistency": l_c}


def build(config: Config, network: Network, options: CctConfig) -> Method:
    """CCT on a network with auxiliary decoders, whose mean is the student of the pseudo-labels."""

    def term(seen: Seen) -> Term:
        labeled, unlabeled = seen.logits("labeled"), seen.logits("unlabeled")
        return Term(*objective(labeled, unlabeled, seen.labels, seen.ramped("weight")))

    return one_network.build(
        config,
        network,
        one_objective(network, term),
        hyperparameters=("weight",),
        pseudo_labels=one_network.of_logits(
            network, lambda f: all_kept(f[0], jax.nn.softmax(f[1:]).mean(0))
        ),
        divergence="perturbed",
    )
