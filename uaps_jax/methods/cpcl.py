"""CPCL, conservative and progressive collaborative learning (Fan et al. 2023), as in DUEB.

Two networks f_1, f_2 take two unlabeled batches u_0 and u_1, mixed by CutMix with a mask m. Their
mixed predictions t_b = (1 - m) f_b(u_0) + m f_b(u_1) give the pseudo-labels of
u_s = (1 - m) u_0 + m u_1:

    l_b = argmax t_b,  q_b = max softmax t_b
    intersection: l_1 where l_1 = l_2, else ignored;      its weight (q_1 + q_2) / 2
    union:        l_1 where l_1 = l_2, else the label with the larger `disagreement`; its weight
                  (q_1 + q_2) / 2, else the q of the network that predicts this label
    L = sum_b l(f_b(x), y) + w r(t) [mean CE(f_1(u_s), intersection) omega
                                     + mean CE(f_2(u_s), union) omega]

with l = 1/2 (CE + Dice), the supervised loss of UAPS's study (CPCL's own is CE), and means over all
pixels, including ignored ones. The original has no ramp; it is an option here because training with
few labels needs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses import segmentation
from uaps_jax.methods import two_networks
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Method, PseudoLabels, Views, unlabeled_stream
from uaps_jax.methods.loss import Objective, Seen, Term, one_objective
from uaps_jax.methods.one_network import both_streams
from uaps_jax.models.interfaces import Outputs
from uaps_jax.models.network import Network
from uaps_jax.stream import Stream
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

BOXES, BOX_AREA = 3, (0.25, 0.5)  # CutMix of the original: number, total fraction of the image


@dataclass(slots=True, kw_only=True)
class CpclConfig(c.RampedConfig):
    name: ClassVar[str] = "cpcl"
    ramp_share: ClassVar[float] = 0.25
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    # w, weight of both unlabeled terms: 1 on VOC, 5 on Cityscapes
    weight: float = field(metadata=c.at_least(0))
    ramp: bool  # whether w is ramped (released: False)
    teacher_mode: c.TeacherMode  # "train" is released


def disagreement(first: jax.Array, second: jax.Array, classes: int) -> jax.Array:
    """Disagreement of two label maps per class, w `[C]`, with sum 1.

    With N the confusion matrix of both plus one pixel of each class on the diagonal,
    w_c = (1 - N_cc / N_.c) + (1 - N_cc / N_c.), divided by its sum + 1e-6.
    """
    a = jax.nn.one_hot(first.reshape(-1), classes)
    b = jax.nn.one_hot(second.reshape(-1), classes)
    confusion = jnp.einsum("nc,nd->cd", a, b, precision=jax.lax.Precision.HIGHEST)
    confusion += jnp.eye(classes)
    agreed = jnp.diagonal(confusion)
    w = (1 - agreed / confusion.sum(0)) + (1 - agreed / confusion.sum(1))
    return w / (w.sum() + 1e-6)


def targets_of(teacher_logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Intersection and union of two networks' predictions, logits `[2, B, H, W, C]`.

    Returns:
      Labels `[2, B, H, W]`, the intersection, 255 where the networks disagree, and the union,
      never 255; and their weights omega.
    """
    p = jax.nn.softmax(jax.lax.stop_gradient(teacher_logits))
    labels, confidence = p.argmax(-1).astype(jnp.int32), p.max(-1)
    w = disagreement(labels[0], labels[1], p.shape[-1])
    equal, chosen = labels[0] == labels[1], w[labels[0]] > w[labels[1]]
    intersection = jnp.where(equal, labels[0], IGNORE)
    union = jnp.where(chosen, labels[0], labels[1])
    mean = confidence.mean(0)
    of_union = jnp.where(equal, mean, jnp.where(chosen, confidence[0], confidence[1]))
    return jnp.stack([intersection, union]), jnp.stack([mean, of_union])


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
      The total and its terms by name; `kept` is the fraction of pixels on which the networks agree.
    """
    l_sup = jax.vmap(segmentation.cross_entropy_and_dice, (0, None))(labeled_logits, labels).sum()
    targets, omega = targets_of(teacher_logits)
    losses = omega * jax.vmap(segmentation.pixel_cross_entropy)(mixed_logits, targets)
    inter, union = losses.mean((1, 2, 3))
    kept = (targets[0] != IGNORE).mean(dtype=mixed_logits.dtype)
    parts = {"supervised": l_sup, "intersection": inter, "union": union, "kept": kept}
    return l_sup + weight * (inter + union), parts


def passes(
    network: Network, params: Tree, stats: Tree, key: jax.Array, views: Tree, *, train: bool
) -> tuple[Mapping[str, Outputs], Tree]:
    """A `Run`: both networks on x, on u_0 and u_1 without gradient, and on u_s.

    Outputs: `labeled`, `mixed`, and `teacher` with the logits t_1, t_2.

    Args:
      network: the architecture of both networks.
      params: of both.
      stats: batch statistics, likewise.
      key: for dropout.
      views: of the step.
      train: whether the passes without gradient run in training mode.
    """
    forward = two_networks.forward
    labeled_key, teacher_key, mixed_key = jax.random.split(key, 3)
    u_0, u_1 = views["unlabeled"]["image"], views["unlabeled_1"]["image"]
    (labeled,), stats = forward(network, params, stats, labeled_key, views["labeled"]["image"])
    fixed = jax.lax.stop_gradient(params)
    if train:
        outputs, stats = forward(network, fixed, stats, teacher_key, u_0, u_1)
        t_0, t_1 = (one.logits for one in outputs)
    else:
        variables = {"params": fixed, "batch_stats": stats}
        t_0, t_1 = (two_networks.both_logits(network, variables, u) for u in (u_0, u_1))
    mask = views["mask"]
    (mixed,), stats = forward(network, params, stats, mixed_key, mixing.paste(mask, u_0, u_1))
    teacher = Outputs(jnp.where(mask[None, ..., None], t_1, t_0), {})
    return {"labeled": labeled, "mixed": mixed, "teacher": teacher}, stats


def mixing_views(config: Config, streams: Mapping[str, Stream]) -> Views:
    """The weak views of all streams, and a CutMix mask for each unlabeled pair."""
    weak = view_lib.weak_views(config, streams)

    def views(key: jax.Array, batch: Tree) -> Tree:
        made = weak(key, batch)
        count, height, width = made["unlabeled"]["image"].shape[:3]
        draw = partial(mixing.random_boxes, size=(height, width), count=BOXES, area=BOX_AREA)
        return made | {"mask": mixing.boxes(view_lib.stream_key(key, "cutmix"), count, draw)}

    return views


def agreed(logits: jax.Array) -> PseudoLabels:
    """The second network's predictions, where the first agrees, from logits `[2, B, H, W, C]`."""
    first, second = logits.argmax(-1)
    return PseudoLabels(target=second, kept=first == second, student=first)


def collaborative(
    config: Config,
    network: Network,
    options: CpclConfig,
    objective: Objective,
    *,
    hyperparameters: Sequence[str],
    extra_keys: int = 0,
) -> Method:
    """A method of two networks that learn from their combined predictions.

    Args:
      config: of the run.
      network: the architecture of both networks.
      options: the settings of the method.
      objective: a function of the outputs of `passes`.
      hyperparameters: as in `one_network.build`.
      extra_keys: as in `one_objective`.
    """
    run = partial(passes, train=options.teacher_mode == "train")
    loss = one_objective(network, objective, run=run, ramped=options.ramp, extra_keys=extra_keys)
    streams = both_streams(config) | {"unlabeled_1": unlabeled_stream(config)}
    return two_networks.build(
        config,
        network,
        loss,
        hyperparameters=hyperparameters,
        predictors=("first", "second", "mean"),
        pseudo_labels=agreed,
        streams=streams,
        views=mixing_views(config, streams),
    )


def build(config: Config, network: Network, options: CpclConfig) -> Method:
    def term(seen: Seen) -> Term:
        labeled, teacher, mixed = (seen.logits(n) for n in ("labeled", "teacher", "mixed"))
        return Term(*objective(labeled, seen.labels, teacher, mixed, seen.ramped("weight")))

    return collaborative(config, network, options, term, hyperparameters=("weight",))
