"""Entropy minimisation (Grandvalet and Bengio 2004): a method in a file of its own.

uaps-jax --config=examples/my_entropy.py:dataset=neu,variant=small
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax

from uaps_jax import config as c
from uaps_jax import methods
from uaps_jax.configs import train
from uaps_jax.losses import segmentation
from uaps_jax.methods import one_network
from uaps_jax.methods.loss import Term, one_objective


@dataclass(slots=True, kw_only=True)
class EntropyConfig(c.RampedConfig):
    name: ClassVar[str] = "entropy"
    ramp_share: ClassVar[float] = 0.34
    weight: float = field(metadata=c.at_least(0))  # of the entropy on unlabeled images


def objective(labeled, unlabeled, labels, weight):
    supervised = segmentation.cross_entropy_and_dice(labeled, labels)
    log_p = jax.nn.log_softmax(unlabeled)
    entropy = -(jax.numpy.exp(log_p) * log_p).sum(-1).mean()
    return supervised + weight * entropy, {"supervised": supervised, "entropy": entropy}


def build(config, network, options):
    def term(seen):
        labeled, unlabeled = (seen.logits(name)[0] for name in ("labeled", "unlabeled"))
        return Term(*objective(labeled, unlabeled, seen.labels, seen.ramped("weight")))

    loss = one_objective(network, term)
    return one_network.build(config, network, loss, hyperparameters=("weight",))


def get_config(argument="dataset=synthetic"):
    config = train.get_config(f"{argument},method=supervised")
    config.method = EntropyConfig(weight=0.1, ramp_interval=1, ramp_length=1)
    config.method.scale_ramps(config.train.steps, EntropyConfig.ramp_share)
    return config


methods.register(EntropyConfig, build)
