"""Labeled images only: the baseline of UAPS's study.

    L = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(softmax f_k(x), y)]

with K = 1 decoder on clean features in the study; more decoders give UAPS's L_sup. With `loss`, the
bracket is CE or Dice alone. With `ema_decay`, an exponential moving average of the network is a
second predictor: the baseline of methods whose EMA teacher predicts.
"""

import dataclasses
from typing import ClassVar

import jax

from uaps_jax import config as c
from uaps_jax.config import Config, MethodConfig
from uaps_jax.losses import masked
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import one_network, teacher
from uaps_jax.methods.base import Method, labeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network


@dataclasses.dataclass(slots=True, kw_only=True)
class SupervisedConfig(MethodConfig):
    name: ClassVar[str] = "supervised"

    loss: LossForm  # of labeled images; CE and Dice in the study
    # largest decay of the averaged network, the predictor "ema"; 0: none
    ema_decay: float = dataclasses.field(metadata=c.below_one())


def objective(
    logits: jax.Array,
    labels: jax.Array,
    form: LossForm = "cross_entropy_and_dice",
    weight: jax.Array | None = None,
) -> jax.Array:
    """L_sup of `logits` `[K, B, H, W, C]`; `labels` and the `weight` of pixels are `[B, H, W]`."""
    return jax.vmap(lambda f: masked.masked_loss(f, labels, weight, form))(logits).mean()


def build(config: Config, network: Network, options: SupervisedConfig) -> Method:
    streams = {"labeled": labeled_stream(config)}

    def term(seen: Seen) -> Term:
        value = objective(seen.logits("labeled"), seen.labels, options.loss)
        return Term(value, {"supervised": value})

    loss = one_objective(network, term, run=show("labeled"))
    if not options.ema_decay:
        return one_network.build(config, network, loss, streams=streams)
    method = teacher.build(config, network, loss, streams=streams)
    of = method.predictors
    predictors = {"main": of["student"], "ema": of["teacher"]}
    if network.auxiliary:
        predictors["ensemble"] = dataclasses.replace(
            of["student"], networks=lambda variables: [variables["student"]]
        )
    return dataclasses.replace(method, predictors=predictors, diagnostics={})
