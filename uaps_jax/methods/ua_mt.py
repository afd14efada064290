"""Uncertainty-aware Mean Teacher (Yu et al. 2019), as UAPS's study computes it.

The teacher predicts T noisy copies of u; where the entropy of the mean prediction p_mc is low, the
consistency term compares the student with the teacher on one further noisy copy:

    H   = -sum_c p_mc log(p_mc + 1e-6),      m = 1[H < h(t)]
    L_c = sum m (softmax f(u) - softmax f'(u + n))^2 / (2 sum m + 1e-16)
    L   = 1/2 [CE(f(x), y) + Dice(softmax f(x), y)] + w(t) L_c

Released: h(t) = (0.75 + 2.5 w(t)) ln 2, which ends at ln 2, the largest entropy of two classes, for
w = 0.1; the denominator has a 2, although the numerator is summed over C classes.
`threshold="repaired"` is (0.75 + 0.25 r(t)) ln C for any w; `normalizer="repaired"` replaces the 2
by C.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation
from uaps_jax.methods import teacher
from uaps_jax.methods.base import Hyperparameters, Method, PseudoLabels
from uaps_jax.methods.loss import Seen, Term, one_objective, ramp_of
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

COPIES = 2  # of the batch in one pass of the teacher


@dataclass(slots=True, kw_only=True)
class UaMtConfig(teacher.NoisyTeacherConfig):
    name: ClassVar[str] = "ua_mt"
    ramp_share: ClassVar[float] = 0.92  # 16,000 of 17,371 steps

    samples: int = field(  # T, predictions of the teacher, two in a pass
        metadata=c.rule(lambda v: v >= COPIES and v % COPIES == 0, "must be 2, 4, 6, ...")
    )
    threshold: c.Form  # of the entropy
    normalizer: c.Form  # of the consistency


def entropy(samples_logits: jax.Array) -> jax.Array:
    """H of the mean prediction of `[T, B, H, W, C]`, in nats `[B, H, W]`."""
    mean = jax.nn.softmax(samples_logits).mean(0)
    return -(mean * jnp.log(mean + 1e-6)).sum(-1)


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    student_logits: jax.Array,
    teacher_logits: jax.Array,
    samples_logits: jax.Array,
    weight: jax.Array,
    threshold: jax.Array,
    normalizer: str = "released",
) -> tuple[jax.Array, Tree]:
    """The loss of one step.

    Args:
      labeled_logits: student on x `[B, H, W, C]`.
      labels: `[B, H, W]`.
      student_logits: student on u.
      teacher_logits: teacher on one noisy u.
      samples_logits: teacher on T noisy u, `[T, B, H, W, C]`.
      weight: w(t).
      threshold: h(t) in nats.
      normalizer: its form.

    Returns:
      The total and its terms by name; `kept` is the fraction of pixels below the threshold.
    """
    l_sup = segmentation.cross_entropy_and_dice(labeled_logits, labels)
    teacher_logits, samples_logits = jax.lax.stop_gradient((teacher_logits, samples_logits))
    mask = (entropy(samples_logits) < threshold).astype(student_logits.dtype)
    distance = jnp.square(jax.nn.softmax(student_logits) - jax.nn.softmax(teacher_logits))
    count = 2 if normalizer == "released" else distance.shape[-1]
    l_c = (mask[..., None] * distance).sum() / (count * mask.sum() + 1e-16)
    parts = {"supervised": l_sup, "consistency": l_c, "kept": mask.mean()}
    return l_sup + weight * l_c, parts


def build(config: Config, network: Network, options: UaMtConfig) -> Method:
    def noisy_logits(teaching: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        return teacher.noisy_logits(network, options, teaching, images, *jax.random.split(key))

    def samples_of(teaching: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        """T samples `[T, B, H, W, C]`, two per pass; each pass updates running statistics."""
        tiled, samples = jnp.repeat(images, COPIES, axis=0), []
        for k in jax.random.split(key, options.samples // COPIES):
            logits, teaching = noisy_logits(teaching, tiled, k)
            samples.append(jnp.moveaxis(logits.reshape(-1, COPIES, *logits.shape[1:]), 1, 0))
        return jnp.concatenate(samples), teaching

    def limit(step: jax.Array, hyperparameters: Hyperparameters) -> jax.Array:
        ramp = ramp_of(step, hyperparameters)
        if options.threshold == "released":
            return (0.75 + 2.5 * hyperparameters["weight"] * ramp) * math.log(2)
        return (0.75 + 0.25 * ramp) * math.log(config.data.classes)

    def term(seen: Seen) -> Term:
        target_key, samples_key = seen.keys
        u = seen.views["unlabeled"]["image"]
        target, teaching = noisy_logits(seen.state["teacher"], u, target_key)
        samples, teaching = samples_of(teaching, u, samples_key)
        labeled, student = seen.logits("labeled")[0], seen.logits("unlabeled")[0]
        weight, h = seen.ramped("weight"), limit(seen.step, seen.hyperparameters)
        total, parts = objective(
            labeled, seen.labels, student, target, samples, weight, h, options.normalizer
        )
        return Term(total, parts, {"teacher": teaching})

    def pseudo_labels(
        variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        samples, _ = samples_of(variables["teacher"], images, key)
        traced = {n: jnp.asarray(v, jnp.float32) for n, v in method.hyperparameters.items()}
        kept = entropy(samples) < limit(step, traced)
        return teacher.pseudo_labels(network, variables, images, key, step)._replace(kept=kept)

    method = teacher.build(
        config,
        network,
        one_objective(network, term, extra_keys=2),
        hyperparameters=("weight",),
        average_statistics=options.average_statistics,
        pseudo_labels=pseudo_labels,
        predictors=("student", "teacher"),
    )
    return method
