"""What the methods share that teach a strong view with the prediction of a weak one.

An EMA teacher in evaluation mode labels a weak view of each unlabeled image; the student learns
these labels on strong views of the same geometry, where the teacher is confident. A strong view may
have a box from the strong view of the next image of the batch, with its label (CutMix). UniMatch
takes the images in reverse order instead of the next one. Then it may have a box from a labeled
image, with its true label (AugSeg, Zhao et al. 2023; BCP, Bai et al. 2023).

The student sees labeled images and strong views as one batch with common batch statistics, as in
UniMatch: with statistics of their own, strong views would be learnt under a normalisation that
prediction, by running statistics, does not have.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation
from uaps_jax.methods import passes, supervised, teacher, thresholds
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Hyperparameters, Inputs, Method, PseudoLabels, Views
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Change, Network
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

LossForm = Literal["cross_entropy_and_dice", "cross_entropy", "dice"]
LabeledPaste = Literal["none", "unsure", "always"]


@dataclass(slots=True, kw_only=True)
class WeakToStrongConfig(c.MethodConfig):
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    weight: float = field(metadata=c.at_least(0))  # lambda, of the unlabeled term
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    # smallest confidence of a pixel that is learnt; of the most confident class if "classwise"
    threshold: float = field(metadata=c.probability())
    threshold_rule: thresholds.Rule
    # m, of the averages of the rules "global" and "classwise"
    threshold_momentum: float = field(metadata=c.below_one())
    unlabeled_loss: LossForm
    cutmix: float = field(metadata=c.probability())  # of a box from the next image
    # range of its share of the image
    cutmix_area: tuple[float, float] = field(
        metadata=c.rule(lambda v: 0 < v[0] <= v[1] <= 1, "must be (low, high), above 0, up to 1")
    )
    # boxes from labeled images: none, in every strong view, or with a probability of 1 - the mean
    # confidence of the image
    labeled_paste: LabeledPaste
    strong: c.PhotometricConfig  # the strong views; their geometry is that of views.unlabeled

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.MethodConfig.problems(self, config)
        yield from c.paired_batch_problems(config)


class Target(NamedTuple):
    """What a strong view is taught.

    Attributes:
      labels: class ids `[B, H, W]`.
      weight: of each pixel in the loss, `[B, H, W]`.
    """

    labels: jax.Array
    weight: jax.Array


class StrongView(NamedTuple):
    """A strong view and its target.

    Attributes:
      image: `[B, H, W, channels]`, normalised.
      target: of its pixels.
    """

    image: jax.Array
    target: Target


def paste(box: jax.Array, onto: StrongView, source: StrongView) -> StrongView:
    """`source` inside the boxes `[B, H, W]`, images and targets alike."""
    return jax.tree.map(partial(mixing.paste, box), onto, source)


def confident(probabilities: jax.Array, limits: jax.Array) -> Target:
    """The most probable class; weight 1 where its probability reaches its class's limit `[C]`."""
    labels = probabilities.argmax(-1).astype(jnp.int32)
    kept = probabilities.max(-1) >= limits[labels]
    return Target(labels, kept.astype(probabilities.dtype))


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


def next_image(x: jax.Array) -> jax.Array:
    """For each image of a batch, the next one; the first for the last."""
    return jnp.roll(x, -1, axis=0)


def masked_loss(
    logits: jax.Array, labels: jax.Array, weight: jax.Array, form: LossForm
) -> jax.Array:
    """The loss of one view from logits `[B, H, W, C]`, labels and weights `[B, H, W]`.

    The sum of the weighted cross entropy is divided by the number of all pixels (UniMatch); Dice
    leaves out pixels of weight 0.
    """
    if form == "cross_entropy":
        return segmentation.cross_entropy(logits, labels, weight)
    if form == "dice":
        return segmentation.dice(logits, labels, weight)
    return segmentation.cross_entropy_and_dice(logits, labels, weight)


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
    of_decoders = jax.vmap(partial(masked_loss, form=form), in_axes=(0, None, None))
    losses = [
        of_decoders(logits, target.labels, target.weight).mean()
        for logits, target in zip(strong_logits, targets, strict=True)
    ]
    l_u = jnp.stack(losses).mean()
    return l_sup + weight * l_u, {"supervised": l_sup, "pseudo": l_u}


def strong_names(count: int) -> tuple[str, ...]:
    return tuple(f"strong_{number}" for number in range(count))


def make_views(config: Config, options: WeakToStrongConfig, names: Sequence[str]) -> Views:
    """`labeled`, `weak` and the named strong views.

    Each strong view has `box`, its CutMix mask, and, with `labeled_paste`, `paste`, a second one.
    """
    normalize = view_lib.normalizer(config)
    draw = view_lib.weak_and_strong(config, options.strong, names)

    def views(
        key: jax.Array, batch: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        del step, hyperparameters
        made: Tree = {
            name: fields | {"image": normalize(fields["image"])}
            for name, fields in draw(key, batch).items()
        }
        count, height, width = made["weak"]["image"].shape[:3]
        rectangle = partial(
            mixing.random_rectangle,
            size=(height, width),
            area=options.cutmix_area,
            aspect=mixing.CUTMIX_ASPECT,
        )
        for name in names:
            box_key = view_lib.stream_key(key, f"cutmix {name}")
            box = mixing.boxes(box_key, count, rectangle, options.cutmix)
            made[name] = made[name] | {"box": box}
            if options.labeled_paste != "none":
                paste_key = view_lib.stream_key(key, f"paste {name}")
                made[name]["paste"] = mixing.boxes(paste_key, count, rectangle)
        return made

    return views


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
    names = strong_names(strong)

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
        target = confident(probabilities, limits)
        kept = target.weight.mean()
        target = target._replace(weight=target.weight * certainty)
        truth = Target(views["labeled"]["mask"], jnp.ones_like(target.weight))
        labeled = StrongView(views["labeled"]["image"], truth)
        has_paste = jnp.ones(len(target.labels), bool)
        if options.labeled_paste == "unsure":
            mean_confidence = probabilities.max(-1).mean((1, 2))
            has_paste = jax.random.bernoulli(paste_key, 1 - mean_confidence)
        mixed: Tree = {"teaching": {"confidence": averages, "kept": kept}}
        for name in names:
            view = StrongView(views[name]["image"], target)
            view = paste(views[name]["box"], view, jax.tree.map(next_image, view))
            if options.labeled_paste != "none":
                view = paste(views[name]["paste"] & has_paste[:, None, None], view, labeled)
            mixed[name] = {"image": view.image, "target": view.target}
        return views | mixed

    def term(seen: Seen) -> Term:
        total, parts = objective(
            seen.logits("labeled"),
            seen.labels,
            [seen.logits(name) for name in names],
            [seen.views[name]["target"] for name in names],
            seen.hyperparameters["weight"],
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
        labels, weight = confident(probabilities, limits)
        return PseudoLabels(labels, weight > 0, student.argmax(-1))

    method = teacher.build(
        config,
        network,
        one_objective(
            network,
            term,
            run=show("labeled", *names, forward=partial(passes.forward, joint=True, change=change)),
            ramped=False,
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
        views=make_views(config, options, names),
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
