"""A student and its teacher, an exponential moving average of it (Tarvainen and Valpola 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.methods import base
from uaps_jax.models.unet import UNet
from uaps_jax.trees import Tree


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the settings of a teacher, a line each."""
    yield from c.check(
        config, "model.auxiliary", config.model.auxiliary == 0, "teacher and student have 1 decoder"
    )
    for key in ("method.noise_scale", "method.noise_clip"):
        yield from c.check(config, key, c.lookup(config, key) >= 0, "cannot be negative")
    ceiling = c.lookup(config, "method.ema_decay")
    yield from c.check(config, "method.ema_decay", 0 <= ceiling < 1, "must be in [0, 1)")
    modes, mode = ("train", "eval"), c.lookup(config, "method.teacher_mode")
    yield from c.check(config, "method.teacher_mode", mode in modes, c.one_of(modes))
    averaged = c.lookup(config, "method.average_statistics")
    yield from c.check(
        config,
        "method.average_statistics",
        averaged or mode != "eval",
        'must be True with method.teacher_mode = "eval", or the teacher has no statistics',
    )


def decay(step: jax.Array, ceiling: float) -> jax.Array:
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
    model: UNet, teacher: Tree, images: jax.Array, key: jax.Array, *, train: bool
) -> tuple[jax.Array, Tree]:
    """Logits `[B, H, W, C]` of the teacher's main decoder, without gradient, and the teacher after.

    Args:
      model: the network.
      teacher: `{"params", "batch_stats"}`.
      images: `[B, H, W, C]`, normalised.
      key: of its dropout.
      train: whether it runs as in training, with dropout, statistics of the batch, and running
        statistics of its own (released), or as in evaluation.
    """
    teacher = jax.lax.stop_gradient(teacher)
    if not train:
        return model.main_logits(teacher, images), teacher
    outputs, stats = base.forward(model, teacher["params"], teacher["batch_stats"], key, images)
    return outputs.logits[0, 0], teacher | {"batch_stats": stats}


def student_and_teacher(
    config: Config, model: UNet, *, ceiling: float, average_statistics: bool
) -> dict[str, Any]:
    """The fields of a `Method` that trains a student and averages it into a teacher.

    State: `batch_stats` of the student, `teacher` with `params` and `batch_stats`. Predictors:
    `student`, which the study evaluates, and `teacher`.

    Args:
      config: for the normalisation of images.
      model: the network of both.
      ceiling: largest decay.
      average_statistics: whether running statistics are averaged as well; else the teacher keeps
        what its own forward passes left.
    """
    normalize = base.normalizer(config)

    def init(seed: int) -> tuple[Tree, Tree]:
        variables = model.init(seed)
        state = {"batch_stats": variables["batch_stats"], "teacher": variables}
        return variables["params"], jax.tree.map(np.copy, state)

    def after_update(params: Tree, state: Tree, step: jax.Array) -> Tree:
        alpha, teacher = decay(step, ceiling), state["teacher"]
        teacher = teacher | {"params": ema(teacher["params"], params, alpha)}
        if average_statistics:
            stats = ema(teacher["batch_stats"], state["batch_stats"], alpha)
            teacher = teacher | {"batch_stats": stats}
        return state | {"teacher": teacher}

    def variables(params: Tree, state: Tree) -> Tree:
        student = {"params": params, "batch_stats": state["batch_stats"]}
        return {"student": student, "teacher": state["teacher"]}

    def predictor(who: str) -> Any:
        return lambda variables, images: jax.nn.softmax(
            model.main_logits(variables[who], normalize(images))
        )

    return {
        "init": init,
        "after_update": after_update,
        "variables": variables,
        "predictors": {"student": predictor("student"), "teacher": predictor("teacher")},
    }
