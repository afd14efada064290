"""Mean Teacher (Tarvainen and Valpola 2017), as UAPS's study computes it.

For labeled (x, y), unlabeled u, a student f and its EMA teacher f':

    L   = 1/2 [CE(f(x), y) + Dice(softmax f(x), y)] + w(t) L_c
    L_c = mean (softmax f(u) - softmax f'(u + n))^2,     n = clip(0.1 N(0, 1), -0.2, 0.2)
    w(t) = w r(t), and 0 for t < delay

The mean is over images, pixels and classes. Released: the teacher runs in training mode and updates
its own running statistics, and the student is evaluated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import consistency, segmentation
from uaps_jax.methods import teacher
from uaps_jax.methods.base import Method
from uaps_jax.methods.loss import Seen, Term, one_objective
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


@dataclass(slots=True, kw_only=True)
class MeanTeacherConfig(teacher.NoisyTeacherConfig):
    name: ClassVar[str] = "mean_teacher"
    ramp_share: ClassVar[float] = 0.85  # 30,000 of 35,341 steps
    late_starts: ClassVar[Mapping[str, float]] = {"delay": 0.03}  # 1000 of 35,341 steps

    delay: int = field(metadata=c.at_least(0))  # steps without the consistency term


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    student_logits: jax.Array,
    teacher_logits: jax.Array,
    weight: jax.Array,
) -> tuple[jax.Array, Tree]:
    """The loss of one step from logits `[B, H, W, C]`; the teacher's carry no gradient.

    Returns:
      The total and its terms by name.
    """
    l_sup = segmentation.cross_entropy_and_dice(labeled_logits, labels)
    target = jax.lax.stop_gradient(jax.nn.softmax(teacher_logits))
    l_c = consistency.mean_squared(jax.nn.softmax(student_logits), target)
    return l_sup + weight * l_c, {"supervised": l_sup, "consistency": l_c}


def build(config: Config, network: Network, options: MeanTeacherConfig) -> Method:
    def term(seen: Seen) -> Term:
        teacher_key, noise_key = seen.keys
        given, u = seen.hyperparameters, seen.views["unlabeled"]["image"]
        target, after = teacher.noisy_logits(
            network, options, seen.state["teacher"], u, noise_key, teacher_key
        )
        ramp = jnp.where(seen.step < given["delay"], 0.0, seen.ramp)
        labeled, student = seen.logits("labeled")[0], seen.logits("unlabeled")[0]
        total, parts = objective(labeled, seen.labels, student, target, given["weight"] * ramp)
        return Term(total, parts | {"ramp": ramp}, {"teacher": after})

    return teacher.build(
        config,
        network,
        one_objective(network, term, extra_keys=2),
        hyperparameters=("weight", "delay"),
        average_statistics=options.average_statistics,
        pseudo_labels=partial(teacher.pseudo_labels, network),
        predictors=("student", "teacher"),
    )
