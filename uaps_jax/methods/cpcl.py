"""CPCL, conservative and progressive collaborative learning (Fan et al. 2023), as in DUEB.

Two networks see unlabeled images u_0 and u_1, twice as many as other methods, mixed by CutMix with
a mask m. Their own mixed
predictions t_b = (1 - m) f_b(u_0) + m f_b(u_1) teach them on u_s = (1 - m) u_0 + m u_1:

    l_b = argmax t_b,  q_b = max softmax t_b
    intersection: l_1 where l_1 = l_2, else ignored;      its weight (q_1 + q_2) / 2
    union:        l_1 where l_1 = l_2, else the label of the more disputed class, weighted with the
                  q of whoever says so
    L = sum_b l(f_b(x), y) + w r(t) [mean CE(f_1(u_s), intersection) omega
                                     + mean CE(f_2(u_s), union) omega]

with l = 1/2 (CE + Dice), the supervised loss of UAPS's study (CPCL's own is CE), and means over all
pixels, ignored ones included. How disputed a class is comes from the confusion of the two labelings
of the batch (`disagreement`). The original has no ramp; few labels need one, so there is an option.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses import segmentation
from uaps_jax.methods import base, pair
from uaps_jax.models.unet import Outputs, UNet
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

STREAMS = {"labeled": "labeled", "unlabeled": "unlabeled", "unlabeled_1": "unlabeled"}
BOXES, BOX_AREA = 3, (0.25, 0.5)  # CutMix of the original: number, share of the image in all


@dataclass(slots=True, kw_only=True)
class CpclConfig(c.RampedConfig):
    """CPCL."""

    name: ClassVar[str] = "cpcl"
    ramp_share: ClassVar[float] = 0.25

    # w, weight of both unlabeled terms: 1 on VOC, 5 on Cityscapes
    weight: float = field(metadata=c.at_least(0))
    ramp: bool  # whether w is ramped (released: False)
    teacher_mode: c.TeacherMode  # "train" is released

    def problems(self, config: Config) -> Iterator[str]:
        """What is wrong with these settings, a line each."""
        yield from pair_problems(config)


def pair_problems(config: Config) -> Iterator[str]:
    """What is wrong with the settings that CPCL and DUEB share, a line each."""
    yield from c.check(
        config, "network.auxiliary", config.network.auxiliary == 0, "each network has 1 decoder"
    )
    yield from c.paired_batches(config)


class PseudoLabels(NamedTuple):
    """Both pseudo-labels of a batch, int32 `[B, H, W]`, and their weights.

    Attributes:
      intersection: 255 where the networks disagree.
      union: never 255.
      intersection_weight: omega of the intersection.
      union_weight: omega of the union.
    """

    intersection: jax.Array
    union: jax.Array
    intersection_weight: jax.Array
    union_weight: jax.Array


def disagreement(first: jax.Array, second: jax.Array, classes: int) -> jax.Array:
    """How disputed each class is between two labelings: w `[C]`, which adds up to 1.

    With N the confusion of both plus one pixel of each class on the diagonal,
    w_c = (1 - N_cc / N_.c) + (1 - N_cc / N_c.), divided by its sum + 1e-6.
    """
    a = jax.nn.one_hot(first.reshape(-1), classes)
    b = jax.nn.one_hot(second.reshape(-1), classes)
    confusion = jnp.einsum("nc,nd->cd", a, b, precision=jax.lax.Precision.HIGHEST)
    confusion += jnp.eye(classes)
    agreed = jnp.diagonal(confusion)
    w = (1 - agreed / confusion.sum(0)) + (1 - agreed / confusion.sum(1))
    return w / (w.sum() + 1e-6)


def pseudo_labels(teacher_logits: jax.Array) -> PseudoLabels:
    """Intersection and union of two networks' predictions, logits `[2, B, H, W, C]`."""
    p = jax.nn.softmax(jax.lax.stop_gradient(teacher_logits))
    labels, confidence = p.argmax(-1).astype(jnp.int32), p.max(-1)
    w = disagreement(labels[0], labels[1], p.shape[-1])
    equal = labels[0] == labels[1]
    chosen = w[labels[0]] > w[labels[1]]
    mean = confidence.mean(0)
    return PseudoLabels(
        intersection=jnp.where(equal, labels[0], IGNORE),
        union=jnp.where(chosen, labels[0], labels[1]),
        intersection_weight=mean,
        union_weight=jnp.where(equal, mean, jnp.where(chosen, confidence[0], confidence[1])),
    )


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    teacher_logits: jax.Array,
    mixed_logits: jax.Array,
    weight: jax.Array,
) -> tuple[jax.Array, Tree]:
    """The loss of one step.

    Args:
      labeled_logits: `[2, B, H, W, C]`.
      labels: `[B, H, W]`.
      teacher_logits: t_1, t_2 `[2, B, H, W, C]`.
      mixed_logits: of both networks on u_s, likewise.
      weight: w r(t).

    Returns:
      The total and its parts by name; `kept` is the share of pixels on which the networks agree.
    """
    supervise = jax.vmap(segmentation.cross_entropy_and_dice, in_axes=(0, None))
    l_sup = supervise(labeled_logits, labels).sum()
    found = pseudo_labels(teacher_logits)
    parts = {"supervised": l_sup, **unlabeled_terms(mixed_logits, found)}
    return l_sup + weight * (parts["intersection"] + parts["union"]), parts


def unlabeled_terms(mixed_logits: jax.Array, found: PseudoLabels) -> Tree:
    """Weighted cross-entropy of network 1 on the intersection, of 2 on the union."""
    first = segmentation.pixel_cross_entropy(mixed_logits[0], found.intersection)
    second = segmentation.pixel_cross_entropy(mixed_logits[1], found.union)
    return {
        "intersection": (first * found.intersection_weight).mean(),
        "union": (second * found.union_weight).mean(),
        "kept": (found.intersection != IGNORE).mean(dtype=mixed_logits.dtype),
    }


class Passes(NamedTuple):
    """What both networks say in a step: outputs `[2, B, ...]`, teachers' logits alone."""

    labeled: Outputs
    mixed: Outputs
    teacher: jax.Array


def passes(
    model: UNet, params: Tree, stats: Tree, views: Tree, key: jax.Array, *, train: bool
) -> tuple[Passes, Tree]:
    """Both networks on x, then on u_0 and u_1 without gradient, then on u_s; the new statistics.

    Args:
      model: the network.
      params: of both, stacked.
      stats: their running statistics.
      views: `labeled`, `unlabeled`, `unlabeled_1`, and `mask` `[B, H, W]` of the CutMix.
      key: for dropout.
      train: whether teachers run in training mode.
    """
    labeled_key, teacher_key, mixed_key = jax.random.split(key, 3)
    u_0, u_1 = views["unlabeled"]["image"], views["unlabeled_1"]["image"]
    outputs, stats = pair.forward(model, params, stats, labeled_key, views["labeled"]["image"])
    labeled = jax.tree.map(lambda x: x[0], outputs)
    fixed = jax.lax.stop_gradient(params)
    if train:
        outputs, stats = pair.forward(model, fixed, stats, teacher_key, u_0, u_1)
        t_0, t_1 = outputs.logits
    else:
        variables = {"params": fixed, "batch_stats": stats}
        t_0, t_1 = (pair.both_logits(model, variables, u) for u in (u_0, u_1))
    mask = views["mask"]
    outputs, stats = pair.forward(model, params, stats, mixed_key, mixing.paste(mask, u_0, u_1))
    mixed = jax.tree.map(lambda x: x[0], outputs)
    teacher = jnp.where(mask[None, ..., None], t_1, t_0)
    return Passes(labeled, mixed, teacher), stats


def mixing_views(config: Config) -> Any:
    """The weak views of all streams, and a CutMix mask for each unlabeled pair."""
    weak = base.weak_views(config, STREAMS)

    def views(key: jax.Array, batch: Tree) -> Tree:
        made = weak(key, batch)
        count, height, width = made["unlabeled"]["image"].shape[:3]
        draw = partial(mixing.random_boxes, size=(height, width), count=BOXES, area=BOX_AREA)
        return made | {"mask": mixing.boxes(base.stream_key(key, "cutmix"), count, draw)}

    return views


def build(config: Config) -> base.Method:
    """CPCL on two of `config`'s networks."""
    options = config.method
    assert isinstance(options, CpclConfig)
    model = base.build_model(config)

    def loss(
        params: Tree,
        state: Tree,
        views: Tree,
        key: jax.Array,
        step: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        train = options.teacher_mode == "train"
        seen, stats = passes(model, params, state["batch_stats"], views, key, train=train)
        ramp = jnp.ones(())
        if options.ramp:
            ramp = base.ramp(step, weights)
        value, parts = objective(
            seen.labeled.logits,
            views["labeled"]["mask"],
            seen.teacher,
            seen.mixed.logits,
            weights["unlabeled"] * ramp,
        )
        return value, (state | {"batch_stats": stats}, parts | {"ramp": ramp})

    return base.Method(
        streams=STREAMS,
        weights={"unlabeled": options.weight, **base.ramp_weights(options)},
        views=mixing_views(config),
        loss=loss,
        probe=probe_of_pair(config, model),
        **pair.network_pair(config, model, ("first", "second", "mean")),
    )


def probe_of_pair(config: Config, model: UNet) -> Any:
    """The probe of CPCL and DUEB: the second network's label, kept where the first agrees."""
    normalize = base.normalizer(config)

    def probe(variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array) -> base.Probe:
        first, second = pair.both_logits(model, variables, normalize(images)).argmax(-1)
        return base.Probe(target=second, kept=first == second, student=first)

    return probe
