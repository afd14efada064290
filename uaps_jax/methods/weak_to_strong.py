"""What the methods share whose EMA teacher labels a weak view for a student of strong views.

The teacher is in evaluation mode; the student learns its labels on strong views of the same
geometry, where the teacher is confident.

The student sees labeled images and strong views as one batch with common batch statistics, as in
UniMatch: with statistics of their own, strong views would be learnt under a normalisation that
prediction, by running statistics, does not have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import strong_views, supervised, teacher, thresholds
from uaps_jax.methods.base import Inputs, Method, PseudoLabels
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.methods.strong_views import Target
from uaps_jax.models.interfaces import Change
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

LabeledPaste = Literal["none", "unsure", "always"]


@dataclass(slots=True, kw_only=True)
class WeakToStrongConfig(strong_views.StrongViewsConfig):
    weight: float = field(metadata=c.at_least(0))  # lambda, of the unlabeled term, after its ramp
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    # smallest confidence of a pixel that is learnt; of the most confident class if "classwise"
    threshold: float = field(metadata=c.probability())
    threshold_rule: thresholds.Rule
    # m, of the averages of the rules "global" and "classwise"
    threshold_momentum: float = field(metadata=c.below_one())
    unlabeled_loss: LossForm
    # boxes from labeled images: none, in every strong view, or with a probability of 1 - the mean
    # confidence of the image
    labeled_paste: LabeledPaste


Teach = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""`(logits [K, B, H, W, C] of the teacher, key)` to probabilities `[B, H, W, C]` and a weight of
each pixel `[B, H, W]`."""


def of_main_decoder(logits: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The prediction of the main decoder; every pixel has weight 1."""
    return jax.nn.softmax(logits[0]), jnp.ones(logits.shape[1:-1], logits.dtype)


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    strong_logits: Sequence[jax.Array],
    targets: Sequence[Target],
    weight: jax.Array,
    form: LossForm,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """mean_k 1/2 [CE(f_k(x), y) + Dice(f_k(x), y)] + lambda mean_{v,k} l(f_k(s_v), target_v).

    Args:
      labeled_logits: f_k(x) of the K decoders, `[K, B, H, W, C]`.
      labels: y, `[B, H, W]`.
      strong_logits: f_k(s_v) of each strong view v, `[K, B, H, W, C]`.
      targets: of each strong view.
      weight: lambda.
      form: l.

    Returns:
      The total and its terms by name.
    """
    l_sup = supervised.objective(labeled_logits, labels)
    losses = [
        supervised.objective(logits, target.labels, form, target.weight)
        for logits, target in zip(strong_logits, targets, strict=True)
    ]
    l_u = jnp.stack(losses).mean()
    return l_sup + weight * l_u, {"supervised": l_sup, "pseudo": l_u}


def build(
    config: Config,
    network: Network,
    options: WeakToStrongConfig,
    *,
    strong: int,
    change: Change | None = None,
    teach: Teach = of_main_decoder,
) -> Method:
    """A method with the streams, the teacher and the loss of this file.

    State: that of `teacher.build`, and `confidence`, the averages of `thresholds`. Predictors:
    `teacher`, the default, and `student`.

    Args:
      config: of the run.
      network: of student and teacher.
      options: the settings of the method.
      strong: number of strong views.
      change: of the student's features; batch part 0 is the labeled batch, then come the strong
        views.
      teach: the teacher's prediction.
    """
    names = strong_views.strong_names(strong)
    rule, has_boxes = options.threshold_rule, options.labeled_paste != "none"

    def taught(teacher: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.lax.stop_gradient(teach(network.all_logits(teacher, images, None), key))

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        given, averages = inputs.hyperparameters, inputs.state["confidence"]
        q, certainty = taught(inputs.state["teacher"], views["weak"]["image"], keys[0])
        averages = thresholds.update(rule, averages, q, given["threshold_momentum"])
        target = strong_views.confident(q, thresholds.current(rule, given["threshold"], averages))
        kept = target.weight.mean()
        target = target._replace(weight=target.weight * certainty)
        labeled = has_paste = None
        if has_boxes:
            truth = Target(views["labeled"]["mask"], jnp.ones_like(target.weight))
            labeled = {"image": views["labeled"]["image"], "target": truth}
        if options.labeled_paste == "unsure":
            has_paste = jax.random.bernoulli(keys[1], 1 - q.max(-1).mean((1, 2)))
        mixed: Tree = {"teaching": {"confidence": averages, "kept": kept}}
        for name in names:
            view = {"image": views[name]["image"], "target": target}
            mixed[name] = strong_views.with_boxes(views[name], view, labeled, has_paste)
        return views | mixed

    def term(seen: Seen) -> Term:
        labeled, teaching = seen.logits("labeled"), seen.views["teaching"]
        strong = [seen.logits(name) for name in names]
        targets = [seen.views[name]["target"] for name in names]
        total, parts = objective(
            labeled, seen.labels, strong, targets, seen.ramped("weight"), options.unlabeled_loss
        )
        state = {"confidence": teaching["confidence"]}
        return Term(total, parts | {"kept": teaching["kept"]}, state)

    def pseudo_labels(
        variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        q, _ = taught(variables["teacher"], images, key)
        student = network.main_logits(variables["student"], images)
        tau = jnp.asarray(options.threshold, jnp.float32)
        limits = thresholds.current(rule, tau, variables["confidence"])
        labels, weight = strong_views.confident(q, limits)
        return PseudoLabels(labels, weight > 0, student.argmax(-1))

    run = show("labeled", *names, joint=True, change=change)
    method = teacher.build(
        config,
        network,
        one_objective(network, term, run=run, extra_keys=2, prepare=prepare),
        hyperparameters=("weight", "threshold", "threshold_momentum"),
        pseudo_labels=pseudo_labels,
        views=strong_views.make_views(config, options, names, labeled_boxes=has_boxes),
        extra_state=lambda: {"confidence": thresholds.initial(rule, config.data.classes)},
    )

    def variables(params: Tree, state: Tree) -> Tree:
        return method.variables(params, state) | {"confidence": state["confidence"]}

    return replace(method, variables=variables)
