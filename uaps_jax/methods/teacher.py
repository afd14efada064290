"""A student and its EMA teacher (Tarvainen and Valpola 2017)."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.methods import one_network, passes
from uaps_jax.methods.base import (
    FindPseudoLabels,
    Hyperparameters,
    Loss,
    Method,
    Predictor,
    PseudoLabels,
    Views,
    all_kept,
)
from uaps_jax.models.network import Network, main_variables
from uaps_jax.stream import Stream
from uaps_jax.trees import Tree


@dataclass(slots=True, kw_only=True)
class TeacherConfig(c.RampedConfig):
    """The settings of methods with an EMA teacher."""

    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    weight: float = field(metadata=c.at_least(0))  # w, weight of the consistency term
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    teacher_mode: c.TeacherMode  # "train" is released
    average_statistics: bool  # average running statistics as well (released: False)

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.RampedConfig.problems(self, config)
        yield from c.check(
            config,
            "method.average_statistics",
            self.average_statistics or self.teacher_mode != "eval",
            'must be True with method.teacher_mode = "eval", or the teacher has no statistics',
        )


@dataclass(slots=True, kw_only=True)
class NoisyTeacherConfig(TeacherConfig):
    """The settings of methods whose teacher takes noisy images."""

    # standard deviation of the noise on the teacher's normalised images
    noise_scale: float = field(metadata=c.at_least(0))
    noise_clip: float = field(metadata=c.at_least(0))  # and its limit


def decay(step: jax.Array, ceiling: jax.Array) -> jax.Array:
    """min(1 - 1 / (t + 1), ceiling) for the 0-based step t: after step 0 teacher = student."""
    return jnp.minimum(1 - 1 / (step + 1), ceiling)


def ema(teacher: Tree, student: Tree, alpha: jax.Array) -> Tree:
    """alpha * teacher + (1 - alpha) * student, leaf by leaf."""
    return jax.tree.map(
        lambda t, s: alpha.astype(t.dtype) * t + (1 - alpha).astype(t.dtype) * s, teacher, student
    )


def noise(key: jax.Array, images: jax.Array, scale: float, clip: float) -> jax.Array:
    """clip(scale * N(0, 1), -clip, clip) in the shape of normalised images `[B, H, W, C]`."""
    return jnp.clip(scale * jax.random.normal(key, images.shape, images.dtype), -clip, clip)


def logits(
    network: Network, teacher: Tree, images: jax.Array, key: jax.Array, *, train: bool
) -> tuple[jax.Array, Tree]:
    """Logits `[B, H, W, C]` of the teacher's main decoder, without gradient, and the new teacher.

    Args:
      network: of student and teacher.
      teacher: `{"params", "batch_stats"}`.
      images: `[B, H, W, C]`, normalised.
      key: for dropout.
      train: whether it runs in training mode, with dropout and batch statistics, which update its
        running statistics (released), or in evaluation mode.
    """
    teacher = jax.lax.stop_gradient(teacher)
    if not train:
        return network.main_logits(teacher, images), teacher
    (outputs,), stats = passes.forward(
        network, teacher["params"], teacher["batch_stats"], key, images
    )
    return outputs.logits[0], teacher | {"batch_stats": stats}


def pseudo_labels(network: Network, variables: Tree, images: jax.Array) -> PseudoLabels:
    """The teacher's pseudo-labels of normalised images, in evaluation mode."""
    teacher, student = (
        network.main_logits(variables[name], images) for name in ("teacher", "student")
    )
    return all_kept(teacher, student)


def build(
    config: Config,
    network: Network,
    loss: Loss,
    *,
    hyperparameters: Mapping[str, float],
    ema_decay: float,
    average_statistics: bool,
    pseudo_labels: FindPseudoLabels | None,
    streams: Mapping[str, Stream] | None = None,
    views: Views | None = None,
) -> Method:
    """A method that trains a student and updates an EMA teacher.

    State: `batch_stats` of the student, `teacher` with `params` and `batch_stats`. Predictors:
    `student`, evaluated in UAPS's study, and `teacher`. The largest decay of the teacher is the
    hyperparameter `ema_decay`.

    Args:
      config: of the run.
      network: of both.
      loss: of a step.
      hyperparameters: without those of teacher and ramp, which are added.
      ema_decay: largest decay of the teacher.
      average_statistics: whether its running statistics are averaged as well.
      pseudo_labels: as in `one_network.build`.
      streams: likewise.
      views: a weak view of each stream if None.
    """
    student = one_network.build(
        config,
        network,
        loss,
        hyperparameters={**hyperparameters, "ema_decay": ema_decay},
        streams=streams,
        views=views,
        pseudo_labels=pseudo_labels,
    )

    def init(seed: int) -> tuple[Tree, Tree]:
        variables = network.init(seed)
        state = {"batch_stats": variables["batch_stats"], "teacher": variables}
        return variables["params"], jax.tree.map(np.copy, state)

    def after_update(
        params: Tree, state: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        alpha, teacher = decay(step, hyperparameters["ema_decay"]), state["teacher"]
        teacher = teacher | {"params": ema(teacher["params"], params, alpha)}
        if average_statistics:
            stats = ema(teacher["batch_stats"], state["batch_stats"], alpha)
            teacher = teacher | {"batch_stats": stats}
        return state | {"teacher": teacher}

    def variables(params: Tree, state: Tree) -> Tree:
        student = {"params": params, "batch_stats": state["batch_stats"]}
        return {"student": student, "teacher": state["teacher"]}

    def predictor(name: str) -> Predictor:
        return dataclasses.replace(
            student.predictors["main"], networks=lambda variables: [main_variables(variables[name])]
        )

    return dataclasses.replace(
        student,
        init=init,
        after_update=after_update,
        variables=variables,
        predictors={"student": predictor("student"), "teacher": predictor("teacher")},
        diagnostics={"teacher": distance},
    )


def distance(variables: Tree) -> dict[str, jax.Array]:
    """`distance`: |teacher - student| / |student|, Euclidean, over all parameters."""
    teacher, student = (variables[name]["params"] for name in ("teacher", "student"))
    difference = jax.tree.map(jnp.subtract, teacher, student)
    return {"distance": optax.tree.norm(difference) / optax.tree.norm(student)}
