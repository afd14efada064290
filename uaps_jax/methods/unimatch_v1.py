"""UniMatch (Yang et al., CVPR 2023), with the losses of its code for medical images.

One network f without a teacher. For a weak view w and two strong views s_1, s_2 of every unlabeled
image, and f_d(w), decoded from features of which each channel is dropped with `feature_dropout`:

    q     = softmax f(w),     y_hat = argmax_c q_c,     m = [max_c q_c >= tau]
    L     = 1/2 [CE(f(x), y) + Dice(f(x), y)]
            + lambda r(t) [1/4 l_m(f(s_1), y_hat) + 1/4 l_m(f(s_2), y_hat) + 1/2 l_m(f_d(w), y_hat)]

q is computed in training mode and has no gradient. l_m is Dice without the pixels of m = 0, which
is published for U-Nets from scratch; for pretrained encoders it is CE. r(t) = 1 by default; boxes
as in `strong_views`.
Published: SGD, the loss divided by 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import one_network, strong_views, supervised
from uaps_jax.methods.base import Inputs, Method, PseudoLabels
from uaps_jax.methods.loss import Objective, Prepare, Seen, Term, one_objective, show
from uaps_jax.methods.strong_views import Target
from uaps_jax.models.interfaces import Pyramid
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

STRONG = strong_views.strong_names(2)
DROPPED = "dropped"  # the output of f_d(w)
WEAK_PART = 1  # of the batch parts: labeled, weak, and the strong views


@dataclass(slots=True, kw_only=True)
class UnimatchV1Config(strong_views.StrongViewsConfig):
    name: ClassVar[str] = "unimatch_v1"

    weight: float = field(metadata=c.at_least(0))  # lambda, of the unlabeled terms, after the ramp
    threshold: float = field(metadata=c.probability())  # tau
    unlabeled_loss: LossForm  # l
    feature_dropout: float = field(metadata=c.below_one())  # probability of a channel


def with_dropped(key: jax.Array, pyramid: Pyramid, probability: float) -> Pyramid:
    """Appends a batch part: the weak view's features with dropped channels, the others scaled.

    Args:
      key: of this step.
      pyramid: levels `[B, parts, H, W, C]`.
      probability: that a channel of an image is dropped (Dropout2d); the others are divided by
        1 - probability.
    """
    changed = []
    for level, z in enumerate(pyramid):
        level_key = jax.random.fold_in(key, level)
        kept = jax.random.bernoulli(level_key, 1 - probability, (len(z), z.shape[-1]))
        mask = (kept / (1 - probability)).astype(z.dtype)
        dropped = z[:, WEAK_PART] * mask[:, None, None, :]
        changed.append(jnp.concatenate([z, dropped[:, None]], axis=1))
    return changed


def target_of(logits: jax.Array, threshold: jax.Array) -> Target:
    """The pseudo-label of logits `[B, H, W, C]`, without a gradient."""
    probabilities = jax.lax.stop_gradient(jax.nn.softmax(logits))
    return strong_views.confident(probabilities, jnp.full(logits.shape[-1], threshold))


def unlabeled_terms(
    strong_logits: Sequence[jax.Array],
    strong_targets: Sequence[Target],
    dropped_logits: jax.Array,
    target: Target,
    form: LossForm,
) -> tuple[jax.Array, jax.Array]:
    """1/2 [l(f(s_1)) + l(f(s_2))] and l(f_d(w)), each a mean over the K decoders.

    Args:
      strong_logits: f(s_v) of both strong views, `[K, B, H, W, C]`.
      strong_targets: of both.
      dropped_logits: f_d(w), `[K, B, H, W, C]`.
      target: of the weak view.
      form: l.
    """
    losses = [
        supervised.objective(logits, labels, form, weight)
        for logits, (labels, weight) in zip(strong_logits, strong_targets, strict=True)
    ]
    dropped = supervised.objective(dropped_logits, target.labels, form, target.weight)
    return jnp.stack(losses).mean(), dropped


def terms(seen: Seen, target: Target, form: LossForm) -> tuple[jax.Array, jax.Array]:
    """`unlabeled_terms` of a step with a target of the weak view."""
    return unlabeled_terms(
        [seen.logits(name) for name in STRONG],
        [strong_views.with_boxes(seen.views[name], target) for name in STRONG],
        seen.logits(DROPPED),
        target,
        form,
    )


def build_with(
    config: Config,
    network: Network,
    options: UnimatchV1Config,
    objective: Objective,
    *,
    hyperparameters: Sequence[str] = (),
    extra_keys: int = 0,
    prepare: Prepare = lambda views, inputs, keys: views,
) -> Method:
    """A method with the views, the outputs and the pseudo-labels of this file.

    Args:
      config: of the run.
      network: to train.
      options: the settings of the method.
      objective: of the outputs.
      hyperparameters: besides `weight` and `threshold`.
      extra_keys: as of `one_objective`.
      prepare: likewise; it gets the views with their boxes.
    """

    def with_boxes(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        made = {name: strong_views.with_boxes(views[name], views[name]["image"]) for name in STRONG}
        views = views | {name: views[name] | {"image": made[name]} for name in STRONG}
        return prepare(views, inputs, keys)

    def pseudo_labels(logits: jax.Array) -> PseudoLabels:
        labels, weight = target_of(logits[0], jnp.asarray(options.threshold))
        return PseudoLabels(labels, weight > 0, logits[0].argmax(-1))

    change = partial(with_dropped, probability=options.feature_dropout)
    run = show("labeled", "weak", *STRONG, appended=(DROPPED,), joint=True, change=change)
    return one_network.build(
        config,
        network,
        one_objective(network, objective, run=run, extra_keys=extra_keys, prepare=with_boxes),
        hyperparameters=("weight", "threshold", *hyperparameters),
        views=strong_views.make_views(config, options, STRONG, labeled_boxes=False),
        pseudo_labels=one_network.of_logits(network, pseudo_labels),
    )


def build(config: Config, network: Network, options: UnimatchV1Config) -> Method:
    def objective(seen: Seen) -> Term:
        target = target_of(seen.logits("weak")[0], seen.hyperparameters["threshold"])
        l_sup = supervised.objective(seen.logits("labeled"), seen.labels)
        l_s, l_fp = terms(seen, target, options.unlabeled_loss)
        total = l_sup + seen.ramped("weight") * 0.5 * (l_s + l_fp)
        parts = {"supervised": l_sup, "pseudo": l_s, "features": l_fp}
        return Term(total, parts | {"kept": target.weight.mean()})

    return build_with(config, network, options, objective)
