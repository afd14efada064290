"""The steps of a run that is to take some minutes, measured once, before its first step.

What was measured is not stored apart: the run's configuration has the steps, and a run that resumes
takes them from there.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from absl import logging
from jax.experimental import multihost_utils

from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import Config, ConfigError
from uaps_jax.data.source import Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import evaluate, image_score
from uaps_jax.training import checkpoints, feed, optimizers, sharding
from uaps_jax.training import state as state_lib
from uaps_jax.training.pools import TrainingPools
from uaps_jax.training.step import make_train_step, traced_hyperparameters
from uaps_jax.trees import Tree

UNTIMED_STEPS = 2
"""The first of them is compiled, and the second may wait for images."""

TIMED_STEPS = 20
TIMED_SECONDS = 20.0
"""So many steps are timed, or as many as begin within so many seconds."""

MOST_EVALUATION = 0.2
"""The largest part of the time that evaluations take; if they would take more, there are fewer."""


class Seconds(NamedTuple):
    """Measured times.

    Attributes:
      step: of a training step.
      evaluation: of an evaluation on the validation images.
    """

    step: float
    evaluation: float


def planned(config: Config, steps: int, eval_every: int) -> Config:
    """The settings of a run with another number of steps; all that counts steps changes with it.

    The intervals of checkpoints and the warm-up are scaled; ramps take the method's usual part of
    the run, or keep theirs where the method has none.
    """
    factor = steps / config.train.steps

    def scaled(count: int) -> int:
        return min(steps, max(1, round(factor * count)))

    new = config_lib.from_flat(config_lib.flatten(config))
    new.train.steps, new.train.eval_every = steps, eval_every
    new.train.log_every = min(steps, config.train.log_every)
    new.checkpoint.every = scaled(config.checkpoint.every)
    new.checkpoint.keep_every = scaled(config.checkpoint.keep_every) * bool(
        config.checkpoint.keep_every
    )
    new.checkpoint.keep_at = tuple(sorted({scaled(step) for step in config.checkpoint.keep_at}))
    new.optimizer.warmup_steps = round(factor * config.optimizer.warmup_steps)
    new.method.scale_ramps(steps, config.method.share_of_ramps(config.train.steps))
    return config_lib.validate(new)


def as_before(directory: Path, config: Config) -> Config:
    """The settings of a run that resumes: with the steps that were measured when it began."""
    saved = checkpoints.saved_steps(directory)
    if not config.train.minutes or not saved:
        return config
    old = checkpoints.read_config(directory, saved[-1])
    if old.train.minutes != config.train.minutes:
        return config  # `workdir.claim` says what differs
    return planned(config, old.train.steps, old.train.eval_every)


def fitted(
    config: Config, pools: TrainingPools, class_names: Sequence[str], weights: Tree | None
) -> Config:
    """The settings of a run that takes `train.minutes`, compilation left out; it is measured.

    Args:
      config: of the run.
      pools: its images.
      class_names: background first.
      weights: initial ones, or None.

    Raises:
      ConfigError: the time is too short for a step.
    """
    seconds = measured(config, pools, class_names, weights)
    if jax.process_count() > 1:
        together = multihost_utils.broadcast_one_to_all(np.array(seconds))
        seconds = Seconds(*map(float, together))
    steps, evaluations = steps_within(
        60 * config.train.minutes, seconds, config.train.steps // config.train.eval_every
    )
    if not steps:
        raise ConfigError(
            f"train.minutes = {config.train.minutes}: a step takes {seconds.step:.1f} s and an "
            f"evaluation {seconds.evaluation:.1f} s; give at least "
            f"{math.ceil((seconds.step + seconds.evaluation) / 60)}"
        )
    logging.info(
        "train.minutes = %g: %d steps of %.3f s, and %d evaluations of %.1f s",
        config.train.minutes,
        steps,
        seconds.step,
        evaluations,
        seconds.evaluation,
    )
    return planned(config, steps, -(-steps // evaluations))


def steps_within(total: float, seconds: Seconds, evaluations: int) -> tuple[int, int]:
    """The steps that fit into a time, 0 if none does, and the evaluations, at most as many.

    Args:
      total: seconds.
      seconds: of a step and of an evaluation.
      evaluations: as many as a run of the original length has.
    """
    most = int(MOST_EVALUATION * total / max(seconds.evaluation, 1e-9))
    count = max(1, min(evaluations, most))
    steps = max(0, int((total - count * seconds.evaluation) / seconds.step))
    return steps, min(count, max(1, steps))


def measured(
    config: Config, pools: TrainingPools, class_names: Sequence[str], weights: Tree | None
) -> Seconds:
    """The times of a step and of an evaluation, without their compilation.

    The steps are those of the run, on a state that is dropped.
    """
    method = methods.build(config, weights)
    shards = sharding.over_devices()
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    step_function = make_train_step(method, optimizer, config, shards)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    state = sharding.place(state, shards.replicated)
    key = sharding.place(jax.random.key(config.train.seed), shards.replicated)
    hyperparameters = sharding.place(traced_hyperparameters(method), shards.replicated)
    times: list[float] = []
    batches = feed.batches(config, method.streams, pools.train, 0, shards)
    began = time.perf_counter()
    for batch in itertools.islice(batches, UNTIMED_STEPS + TIMED_STEPS):
        state, metrics = step_function(state, batch, key, hyperparameters)
        jax.block_until_ready(metrics)
        times.append(time.perf_counter() - began)
        timed_long = len(times) > UNTIMED_STEPS and times[-1] - times[UNTIMED_STEPS - 1]
        if timed_long > TIMED_SECONDS and jax.process_count() == 1:  # all need the same number
            break
    untimed = min(UNTIMED_STEPS, len(times) - 1)
    timed = len(times) - untimed
    step = (times[-1] - (times[untimed - 1] if untimed else 0.0)) / timed

    measure_function = evaluate.make_measure_function(
        method.predictor(config.evaluation.predictor),
        config.data.classes,
        image_score.rule_of(config.evaluation.decision),
        deterministic=config.train.deterministic,
    )
    variables = method.variables(state.params, state.method_state)
    val = pools.val
    first: Pool | WholeImages
    if isinstance(val, Pool):
        first = dataclasses.replace(
            val, names=val.names[:1], images=val.images[:1], masks=val.masks[:1]
        )
    else:
        first = dataclasses.replace(val, names=val.names[:1])
    for pool in (first, val):
        began = time.perf_counter()
        evaluate.evaluate(
            measure_function, variables, pool, class_names, config.evaluation.batch_size
        )
        evaluation = time.perf_counter() - began
    return Seconds(step, evaluation)
