"""What the methods share whose EMA teacher labels a weak view for a student of strong views.

The teacher is in evaluation mode; the student learns its labels on strong views of the same
geometry, where the teacher is confident.

The student sees labeled images and strong views as one batch with common batch statistics, as in
UniMatch: with statistics of their own, strong views would be learnt under a normalisation that
prediction, by running statistics, does not have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import passes, strong_views, supervised, teacher, thresholds
from uaps_jax.methods.base import Inputs, Method, PseudoLabels
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.methods.strong_views import StrongView, Target
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


Teach = Callable[[Network, Tree, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""`(network, teacher, weak images, key)` to probabilities `[B, H, W, C]` and a weight of each pixel
`[B, H, W]`."""


def of_main_decoder(
    network: Network, teacher: Tree, images: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The prediction of the main decoder; every pixel has weight 1."""
    del key
    probabilities = jax.nn.softmax(network.main_logits(teacher, images))
    return probabilities, jnp.ones_like(probabilities[..., 0])


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
        strong_views.pseudo_label_loss(logits, target, form)
        for logits, target in zip(strong_logits, targets, strict=True)
    ]
    l_u = jnp.stack(losses).mean()
    return l_sup + weight * l_u, {"supervised": l_sup, "pseudo": l_u}


def build(
    config: Config,
    network: Network,
    *,
    strong: int,
    change: Change | None = None,
    teach: Teach = of_main_decoder,
) -> Method:
    """A method with the streams, the teacher and the loss of this file.

    State: that of `teacher.build`, and `confidence`, the averages of `thresholds`. Predictors:
    `teacher`, the default, and `student`.

    Args:
      config: of the run; `config.method` is a `WeakToStrongConfig`.
      network: of student and teacher.
      strong: number of strong views.
      change: of the student's features; batch part 0 is the labeled batch, then come the strong
        views.
      teach: the teacher's prediction.
    """
    options = config.method
    assert isinstance(options, WeakToStrongConfig)
    names = strong_views.strong_names(strong)

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        teach_key, paste_key = keys
        probabilities, certainty = jax.lax.stop_gradient(
            teach(network, inputs.state["teacher"], views["weak"]["image"], teach_key)
        )
        averages, given = inputs.state["confidence"], inputs.hyperparameters
        averages = thresholds.update(
            options.threshold_rule, averages, probabilities, given["threshold_momentum"]
        )
        limits = thresholds.current(options.threshold_rule, given["threshold"], averages)
        target = strong_views.confident(probabilities, limits)
        kept = target.weight.mean()
        target = target._replace(weight=target.weight * certainty)
        labeled = None
        if options.labeled_paste != "none":
            truth = Target(views["labeled"]["mask"], jnp.ones_like(target.weight))
            labeled = StrongView(views["labeled"]["image"], truth)
        has_paste = None
        if options.labeled_paste == "unsure":
            mean_confidence = probabilities.max(-1).mean((1, 2))
            has_paste = jax.random.bernoulli(paste_key, 1 - mean_confidence)
        mixed: Tree = {"teaching": {"confidence": averages, "kept": kept}}
        for name in names:
            view = StrongView(views[name]["image"], target)
            view = strong_views.with_boxes(views[name], view, labeled, has_paste)
            mixed[name] = {"image": view.image, "target": view.target}
        return views | mixed

    def term(seen: Seen) -> Term:
        total, parts = objective(
            seen.logits("labeled"),
            seen.labels,
            [seen.logits(name) for name in names],
            [seen.views[name]["target"] for name in names],
            seen.ramped("weight"),
            options.unlabeled_loss,
        )
        teaching = seen.views["teaching"]
        metrics = parts | {"kept": teaching["kept"]}
        return Term(total, metrics, {"confidence": teaching["confidence"]})

    def pseudo_labels(
        variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        del step
        probabilities, _ = teach(network, variables["teacher"], images, key)
        student = network.main_logits(variables["student"], images)
        tau = jnp.asarray(options.threshold, jnp.float32)
        limits = thresholds.current(options.threshold_rule, tau, variables["confidence"])
        labels, weight = strong_views.confident(probabilities, limits)
        return PseudoLabels(labels, weight > 0, student.argmax(-1))

    method = teacher.build(
        config,
        network,
        one_objective(
            network,
            term,
            run=show("labeled", *names, forward=partial(passes.forward, joint=True, change=change)),
            extra_keys=2,
            prepare=prepare,
        ),
        hyperparameters={
            "weight": options.weight,
            "threshold": options.threshold,
            "threshold_momentum": options.threshold_momentum,
        },
        ema_decay=options.ema_decay,
        average_statistics=True,
        pseudo_labels=pseudo_labels,
        views=strong_views.make_views(
            config, options, names, labeled_boxes=options.labeled_paste != "none"
        ),
    )

    def init(seed: int) -> tuple[Tree, Tree]:
        params, state = method.init(seed)
        averages = thresholds.initial(options.threshold_rule, config.data.classes)
        return params, state | {"confidence": averages}

    return replace(
        method,
        init=init,
        variables=lambda params, state: (
            method.variables(params, state) | {"confidence": state["confidence"]}
        ),
        predictors={name: method.predictors[name] for name in ("teacher", "student")},
    )
