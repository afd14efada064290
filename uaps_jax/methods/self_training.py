"""Training on labeled and pseudo-labeled images in one loss (ST and ST++, Yang et al., CVPR 2022).

    L = mean over the pixels with a label of [x ; s] of w CE(f([x ; s]), [y ; t])

x and y are labeled images and their masks, s strong views of unlabeled images (`views.unlabeled`,
with Cutout) and t their pseudo-labels from `data.targets`, made once by another network. w is 1, or
for unlabeled images the weight of the pixel in `data.targets`. Labeled and unlabeled images share
batch statistics. Half of a batch is labeled; ST repeats the labeled images in one shuffled pool
until they are as many as the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, MethodConfig
from uaps_jax.losses import masked
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import one_network, passes
from uaps_jax.methods.base import Method, labeled_stream, pseudo_labeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network


@dataclass(slots=True, kw_only=True)
class SelfTrainingConfig(MethodConfig):
    name: ClassVar[str] = "self_training"

    loss: LossForm  # of all images; cross-entropy as published

    def problems(self, config: Config) -> Iterator[str]:
        yield from MethodConfig.problems(self, config)
        yield from c.paired_batch_problems(config)


def objective(
    logits: jax.Array, labels: jax.Array, weight: jax.Array | None, form: LossForm
) -> jax.Array:
    """The mean over K decoders of the loss of labeled and pseudo-labeled images together.

    Args:
      logits: `[K, B, H, W, C]` of all images.
      labels: their class ids `[B, H, W]`, 255 where there is none.
      weight: of each pixel, `[B, H, W]`; None for 1.
      form: of the loss.
    """
    of_decoders = jax.vmap(partial(masked.masked_loss, form=form), in_axes=(0, None, None))
    return of_decoders(logits, labels, weight).mean()


def build(config: Config, network: Network) -> Method:
    options = config.method
    assert isinstance(options, SelfTrainingConfig)

    def term(seen: Seen) -> Term:
        labeled, unlabeled = seen.views["labeled"], seen.views["unlabeled"]
        logits = jax.vmap(passes.interleave)(seen.logits("labeled"), seen.logits("unlabeled"))
        labels = passes.interleave(labeled["mask"], unlabeled["mask"])
        weight = None
        if "weight" in unlabeled:
            ones = jnp.ones_like(unlabeled["weight"])
            weight = passes.interleave(ones, unlabeled["weight"])
        value = objective(logits, labels, weight, options.loss)
        return Term(value, {"self_training": value})

    loss = one_objective(
        network,
        term,
        run=show("labeled", "unlabeled", forward=partial(passes.forward, joint=True)),
        ramped=False,
    )
    streams = {"labeled": labeled_stream(config), "unlabeled": pseudo_labeled_stream(config)}
    return one_network.build(config, network, loss, hyperparameters={}, streams=streams)
