"""Training on labeled and pseudo-labeled images in one loss (ST and ST++, Yang et al., CVPR 2022).

    L = mean over the pixels with a label of [x ; s] of w CE(f([x ; s]), [y ; t])

x and y are labeled images and their masks, s strong views of unlabeled images (`views.unlabeled`,
with Cutout) and t their pseudo-labels from `data.targets`, made once by another network. w is 1, or
for unlabeled images the weight of the pixel in `data.targets`. Labeled and unlabeled images share
batch statistics. Half of a batch is labeled; ST repeats the labeled images in one shuffled pool
until they are as many as the others.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, MethodConfig
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import one_network, passes, supervised
from uaps_jax.methods.base import Method, labeled_stream, unlabeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network


@dataclass(slots=True, kw_only=True)
class SelfTrainingConfig(MethodConfig):
    name: ClassVar[str] = "self_training"
    mixes_streams: ClassVar[bool] = True

    loss: LossForm  # of all images; cross-entropy as published


def build(config: Config, network: Network, options: SelfTrainingConfig) -> Method:
    def term(seen: Seen) -> Term:
        labeled, unlabeled = seen.views["labeled"], seen.views["unlabeled"]
        logits = jax.vmap(passes.interleave)(seen.logits("labeled"), seen.logits("unlabeled"))
        labels = passes.interleave(labeled["mask"], unlabeled["mask"])
        weight = None
        if "weight" in unlabeled:
            ones = jnp.ones_like(unlabeled["weight"])
            weight = passes.interleave(ones, unlabeled["weight"])
        value = supervised.objective(logits, labels, options.loss, weight)
        return Term(value, {"self_training": value})

    loss = one_objective(network, term, run=show("labeled", "unlabeled", joint=True))
    targets = ("mask", "weight") if config.data.targets.weights else ("mask",)
    streams = {"labeled": labeled_stream(config), "unlabeled": unlabeled_stream(config, *targets)}
    return one_network.build(config, network, loss, streams=streams)
