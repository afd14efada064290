"""Labeled images only: the baseline of UAPS's study.

    L = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(softmax f_k(x), y)]

with K = 1 decoder on clean features in the study; more decoders give UAPS's L_sup.
"""

import dataclasses
from typing import ClassVar

import jax

from uaps_jax.config import Config, MethodConfig
from uaps_jax.losses import segmentation
from uaps_jax.methods import one_network
from uaps_jax.methods.base import Method, labeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network


@dataclasses.dataclass(slots=True, kw_only=True)
class SupervisedConfig(MethodConfig):
    name: ClassVar[str] = "supervised"


def objective(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """L_sup of `logits` `[K, B, H, W, C]` and `labels` `[B, H, W]`."""
    return jax.vmap(segmentation.cross_entropy_and_dice, in_axes=(0, None))(logits, labels).mean()


def build(config: Config, network: Network) -> Method:

    def term(seen: Seen) -> Term:
        value = objective(seen.logits("labeled"), seen.labels)
        return Term(value, {"supervised": value})

    return one_network.build(
        config,
        network,
        one_objective(network, term, run=show("labeled"), ramped=False),
        hyperparameters={},
        streams={"labeled": labeled_stream(config)},
    )
