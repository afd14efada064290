"""Cross pseudo supervision (Chen et al. 2021), as UAPS's study computes it.

Two networks, each trained with the other's hard labels on unlabeled and on labeled images:

    l(f, y) = 1/2 [CE(f, y) + Dice(softmax f, y)]
    L = sum_i l(f_i(x), y) + w(t) sum_{i != j} [l(f_i(u), argmax f_j(u)) + l(f_i(x), argmax f_j(x))]

Sums over networks, not means. Evaluated with the mean of both networks' logits.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation
from uaps_jax.methods import two_networks
from uaps_jax.methods.base import Method, all_kept
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


@dataclass(slots=True, kw_only=True)
class CpsConfig(c.RampedConfig):
    name: ClassVar[str] = "cps"
    # as in the study's other methods; 30,000 of 47,141 published
    ramp_share: ClassVar[float] = 0.85
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    weight: float = field(metadata=c.at_least(0))  # w, weight of both cross terms


def objective(
    labeled_logits: jax.Array, unlabeled_logits: jax.Array, labels: jax.Array, weight: jax.Array
) -> tuple[jax.Array, Tree]:
    """The loss of one step from logits `[2, B, H, W, C]` and labels `[B, H, W]`.

    Returns:
      The total and its terms by name.
    """
    l_sup = jax.vmap(segmentation.cross_entropy_and_dice, (0, None))(labeled_logits, labels).sum()
    l_u, l_x = cross(unlabeled_logits), cross(labeled_logits)
    parts = {"supervised": l_sup, "cross_unlabeled": l_u, "cross_labeled": l_x}
    return l_sup + weight * (l_u + l_x), parts


def cross(logits: jax.Array) -> jax.Array:
    """sum_i l(f_i, argmax f_j) of `[2, B, H, W, C]`; labels carry no gradient."""
    others = jnp.flip(jax.lax.stop_gradient(logits).argmax(-1), 0)
    return jax.vmap(segmentation.cross_entropy_and_dice)(logits, others).sum()


def build(config: Config, network: Network, options: CpsConfig) -> Method:
    def term(seen: Seen) -> Term:
        labeled, unlabeled = seen.logits("labeled"), seen.logits("unlabeled")
        return Term(*objective(labeled, unlabeled, seen.labels, seen.ramped("weight")))

    run = show("labeled", "unlabeled", forward=two_networks.forward)
    return two_networks.build(
        config,
        network,
        one_objective(network, term, run=run),
        hyperparameters=("weight",),
        predictors=("mean", "first", "second"),
        pseudo_labels=lambda logits: all_kept(*logits[::-1]),
    )
