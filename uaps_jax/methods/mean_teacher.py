"""Mean Teacher (Tarvainen and Valpola 2017), as UAPS's study computes it.

For labeled (x, y), unlabeled u, a student f and its EMA teacher f':

    L   = 1/2 [CE(f(x), y) + Dice(softmax f(x), y)] + w(t) L_c
    L_c = mean (softmax f(u) - softmax f'(u + n))^2,     n = clip(0.1 N(0, 1), -0.2, 0.2)
    w(t) = w r(t), and 0 for t < delay

The mean is over images, pixels and classes. Released: the teacher runs in training mode and updates
its own running statistics, and the student is evaluated.
"""

from dataclasses import dataclass, field
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

DELAY_SHARE = 0.03  # 1000 of 35,341 steps


@dataclass(slots=True, kw_only=True)
class MeanTeacherConfig(teacher.NoisyTeacherConfig):
    name: ClassVar[str] = "mean_teacher"
    ramp_share: ClassVar[float] = 0.85  # 30,000 of 35,341 steps

    delay: int = field(metadata=c.at_least(0))  # steps without the consistency term

    def scale_ramps(self, steps: int, share: float) -> None:
        c.RampedConfig.scale_ramps(self, steps, share)
        self.delay = round(DELAY_SHARE * steps)


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


def build(config: Config, network: Network) -> Method:
    options = config.method
    assert isinstance(options, MeanTeacherConfig)
    train = options.teacher_mode == "train"

    def term(seen: Seen) -> Term:
        teacher_key, noise_key = seen.keys
        u = seen.views["unlabeled"]["image"]
        noisy = u + teacher.noise(noise_key, u, options.noise_scale, options.noise_clip)
        target, after = teacher.logits(
            network, seen.state["teacher"], noisy, teacher_key, train=train
        )
        ramp = jnp.where(seen.step < seen.hyperparameters["delay"], 0.0, seen.ramp)
        value, parts = objective(
            seen.logits("labeled")[0],
            seen.labels,
            seen.logits("unlabeled")[0],
            target,
            seen.hyperparameters["consistency"] * ramp,
        )
        return Term(value, parts | {"ramp": ramp}, {"teacher": after})

    return teacher.build(
        config,
        network,
        one_objective(network, term, extra_keys=2),
        hyperparameters={"consistency": options.weight, "delay": options.delay},
        ema_decay=options.ema_decay,
        average_statistics=options.average_statistics,
        pseudo_labels=lambda variables, images, key, step: teacher.pseudo_labels(
            network, variables, images
        ),
    )
