"""Training on masks that may be wrong, whose uncertain pixels count less (URN, Li et al. 2022).

    L   = L_m(f(x)) + w_a L_m(f_a(x)),     f_a an auxiliary head on the encoder
    L_m = sum_i y_i l_i / sum_i y_i,       l_i = -log softmax(f(x))_{i, m_i}

m are the masks of labeled images, such as rough ones or pseudo-labels from `data.targets`; y_i is
made of the weight of the pixel there (`response_scaling.loss_weights`), or 1. "released" divides by
the number of all pixels, so that the loss is smaller where more pixels are uncertain or have no
label. Instead of weights, `under_fitting_limit` leaves out the hardest pixels (PMM's PUS, which
URN's first phase has). `loss` can be Dice, or the mean of both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, Form
from uaps_jax.losses import masked, segmentation, under_fitting
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import one_network
from uaps_jax.methods.base import Method, labeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models import resize
from uaps_jax.models.network import Network
from uaps_jax.weak_supervision.response_scaling import loss_weights

FCN = "fcn"


@dataclass(slots=True, kw_only=True)
class UrnConfig(c.MethodConfig):
    name: ClassVar[str] = "urn"
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    form: Form  # of the divisor, and of the mean that is held against `under_fitting_start`
    loss: LossForm  # cross-entropy as published
    # y of a pixel of weight w: "none": 1; "hard": `least` where w <= `least`, else 1; "soft": w,
    # but at least `least`
    weighting: Literal["none", "hard", "soft"]
    least: float = field(metadata=c.probability())  # 0.05 as published
    # k: with a mean cross-entropy below `under_fitting_start`, pixels with a larger one are not
    # learnt; 0: all are
    under_fitting_limit: float = field(metadata=c.at_least(0))
    under_fitting_start: float = field(metadata=c.at_least(0))  # beta
    weight_fcn: float = field(metadata=c.at_least(0))  # w_a, of the auxiliary head; 0: none

    def heads(self, config: Config) -> Mapping[str, c.Head]:
        return {FCN: c.Head("fcn", config.data.classes)} if self.weight_fcn else {}

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.MethodConfig.problems(self, config)
        yield from c.check(
            config,
            "method.weighting",
            self.weighting == "none" or config.data.targets.part == "labeled",
            'needs weights of labeled images: data.targets.folders, data.targets.part = "labeled" '
            "and data.targets.weights = True",
        )
        yield from c.check(
            config,
            "method.under_fitting_limit",
            not self.under_fitting_limit
            or (self.weighting == "none" and self.loss == "cross_entropy"),
            'leaves out pixels by their cross-entropy; with method.weighting other than "none" or '
            'method.loss other than "cross_entropy", set it to 0',
        )


def objective(
    logits: jax.Array, labels: jax.Array, weight: jax.Array | None, options: UrnConfig
) -> jax.Array:
    """L_m.

    Args:
      logits: `[B, H, W, C]`.
      labels: m, class ids `[B, H, W]`; pixels of label 255 are left out.
      weight: y, `[B, H, W]`; None for 1.
      options: the settings.
    """
    ce = partial(cross_entropy, options=options)
    return masked.masked_loss(logits, labels, weight, options.loss, ce)


def cross_entropy(
    logits: jax.Array, labels: jax.Array, weight: jax.Array | None, options: UrnConfig
) -> jax.Array:
    """The cross-entropy in L_m."""
    if options.under_fitting_limit:
        return under_fitting.pretended_under_fitting(
            logits,
            labels,
            start=options.under_fitting_start,
            limit=options.under_fitting_limit,
            form=options.form,
        )
    if options.form == "repaired":
        return segmentation.cross_entropy(logits, labels, weight, "weight")
    losses = segmentation.pixel_cross_entropy(logits, labels)
    return (losses if weight is None else losses * weight).mean()


def build(config: Config, network: Network, options: UrnConfig) -> Method:
    form = options.weighting

    def term(seen: Seen) -> Term:
        labels = seen.labels
        weight = None
        if form != "none":
            weight = loss_weights(seen.views["labeled"]["weight"], form, options.least)
        value = objective(seen.logits("labeled")[0], labels, weight, options)
        total, parts = value, {"masks": value}
        if weight is not None:
            parts["weight"] = weight.mean()
        if options.weight_fcn:
            small = seen.outputs["labeled"].heads[FCN][0]
            large = resize.resize(small, *labels.shape[1:])
            parts["fcn"] = objective(large, labels, weight, options)
            total = total + seen.hyperparameters["weight_fcn"] * parts["fcn"]
        return Term(jnp.asarray(total), parts)

    return one_network.build(
        config,
        network,
        one_objective(network, term, run=show("labeled")),
        hyperparameters=("weight_fcn",),
        streams={"labeled": labeled_stream(config, weighted=form != "none")},
    )
