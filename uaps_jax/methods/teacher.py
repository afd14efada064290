"""A student and its EMA teacher (Tarvainen and Valpola 2017)."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
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
class NoisyTeacherConfig(c.RampedConfig):
    """The settings of Mean Teacher and UA-MT, whose teacher takes noisy images."""

    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    weight: float = field(metadata=c.at_least(0))  # w, weight of the consistency term
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    teacher_mode: c.TeacherMode  # "train" is released
    average_statistics: bool  # average running statistics as well (released: False)
    # standard deviation of the noise on the teacher's normalised images
    noise_scale: float = field(metadata=c.at_least(0))
    noise_clip: float = field(metadata=c.at_least(0))  # and its limit

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.RampedConfig.problems(self, config)
        yield from c.check(
            config,
            "method.average_statistics",
            self.average_statistics or self.teacher_mode != "eval",
            'must be True with method.teacher_mode = "eval", or the teacher has no statistics',
        )


def decay(step: jax.Array, ceiling: jax.Array) -> jax.Array:
    """min(1 - 1 / (t + 1), ceiling) for the 0-based step t: after step 0 teacher = student."""
    return jnp.minimum(1 - 1 / (step + 1), ceiling)


def ema(teacher: Tree, student: Tree, alpha: jax.Array) -> Tree:
    """alpha * teacher + (1 - alpha) * student, leaf by leaf."""
    return jax.tree.map(
        lambda t, s: alpha.astype(t.dtype) * t + (1 - alpha).astype(t.dtype) * s, teacher, student
    )


def noisy_logits(
    network: Network,
    options: NoisyTeacherConfig,
    teacher: Tree,
    images: jax.Array,
    noise_key: jax.Array,
    key: jax.Array,
) -> tuple[jax.Array, Tree]:
    """Logits `[B, H, W, C]` of a teacher on u + clip(s N(0, 1), -b, b), and the new teacher.

    Without gradient. In training mode (released), with dropout and batch statistics, the teacher's
    running statistics are updated.

    Args:
      network: of student and teacher.
      options: s and b, `noise_scale` and `noise_clip`, and the mode.
      teacher: `{"params", "batch_stats"}`.
      images: u `[B, H, W, C]`, normalised.
      noise_key: for the noise.
      key: for dropout.
    """
    noise = options.noise_scale * jax.random.normal(noise_key, images.shape, images.dtype)
    noisy = images + jnp.clip(noise, -options.noise_clip, options.noise_clip)
    teacher = jax.lax.stop_gradient(teacher)
    if options.teacher_mode == "eval":
        return network.main_logits(teacher, noisy), teacher
    params, stats = teacher["params"], teacher["batch_stats"]
    (outputs,), stats = passes.forward(network, params, stats, key, noisy)
    return outputs.logits[0], teacher | {"batch_stats": stats}


def pseudo_labels(
    network: Network, variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
) -> PseudoLabels:
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
    hyperparameters: Sequence[str] = (),
    average_statistics: bool = True,
    pseudo_labels: FindPseudoLabels | None = None,
    streams: Mapping[str, Stream] | None = None,
    views: Views | None = None,
    predictors: Sequence[str] = ("teacher", "student"),
    extra_state: Callable[[], Tree] = dict,
) -> Method:
    """A method that trains a student and updates an EMA teacher.

    State: `batch_stats` of the student, `teacher` with `params` and `batch_stats`. The largest
    decay of the teacher is the setting `ema_decay` of the method, traced.

    Args:
      config: of the run.
      network: of both.
      loss: of a step.
      hyperparameters: as in `one_network.build`, without `ema_decay`.
      average_statistics: whether its running statistics are averaged as well.
      pseudo_labels: as in `one_network.build`.
      streams: likewise.
      views: likewise.
      predictors: the default comes first; `student` is evaluated in UAPS's study.
      extra_state: further entries of the state before the first step.
    """
    student = one_network.build(
        config,
        network,
        loss,
        hyperparameters=(*hyperparameters, "ema_decay"),
        streams=streams,
        views=views,
        pseudo_labels=pseudo_labels,
    )

    def init(seed: int) -> tuple[Tree, Tree]:
        variables = network.init(seed)
        state = {"batch_stats": variables["batch_stats"], "teacher": variables}
        return variables["params"], jax.tree.map(np.copy, state) | extra_state()

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
        predictors={name: predictor(name) for name in predictors},
        diagnostics={"teacher": distance},
    )


def distance(variables: Tree) -> dict[str, jax.Array]:
    """`distance`: |teacher - student| / |student|, Euclidean, over all parameters."""
    teacher, student = (variables[name]["params"] for name in ("teacher", "student"))
    difference = jax.tree.map(jnp.subtract, teacher, student)
    return {"distance": optax.tree.norm(difference) / optax.tree.norm(student)}
