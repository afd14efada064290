"""The training loop: draw, step, log, evaluate, save. A resumed run computes the same bits."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import logging

from uaps_jax import methods
from uaps_jax.config import Config
from uaps_jax.data import streams
from uaps_jax.evaluation import evaluate, image_score, watchdogs
from uaps_jax.methods.base import Method
from uaps_jax.training import (
    checkpoints,
    examine,
    failures,
    feed,
    interrupt,
    metric_writer,
    optimizers,
    plateau,
    previews,
    sharding,
    workdir,
)
from uaps_jax.training import state as state_lib
from uaps_jax.training.pools import TrainingPools
from uaps_jax.training.progress import Progress
from uaps_jax.training.state import TrainState
from uaps_jax.training.step import make_train_step, traced_hyperparameters
from uaps_jax.training.trace import Tracer
from uaps_jax.trees import Tree


def train(
    config: Config,
    directory: Path,
    pools: TrainingPools,
    class_names: Sequence[str],
    record: Mapping[str, Any],
    profile: tuple[int, int] | None = None,
    weights: Tree | None = None,
) -> TrainState:
    """Trains, or resumes a training, in a work directory.

    Args:
      config: validated and frozen.
      directory: claimed by `workdir.claim`.
      pools: the images.
      class_names: background first.
      record: of the data, for the checkpoints (`data.protocols.record`).
      profile: the first and the last step, from 1, of a trace in `profile/`; None for no trace.
      weights: initial ones (`pretrained.load`); a run that resumes needs none.

    Returns:
      The state after the last step; its checkpoint is written.

    Raises:
      NonFiniteLoss: the loss or the gradient became NaN or infinite. That step changed nothing;
        `failed/` contains everything to repeat it (`failures.write`).
      Interrupted: SIGTERM or SIGINT arrived; the current step is finished and saved. (With several
        processes, each ends at once.)
    """
    method = methods.build(config, weights)
    shards = sharding.over_devices()
    sharding.check_batches(config, method.streams.values(), shards)
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    step_function = make_train_step(method, optimizer, config, shards)
    predictor = method.predictor(config.evaluation.predictor)
    measure_function = evaluate.make_measure_function(
        predictor,
        config.data.classes,
        image_score.rule_of(config.evaluation.decision),
        deterministic=config.train.deterministic,
    )
    preview_function = previews.make_preview_function(
        measure_function.probabilities, pools.val, batch_size=config.evaluation.batch_size
    )
    examine_function = examine.make_examine_function(method, config, pools, class_names)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    state = sharding.place(state, shards.replicated)
    key = sharding.place(jax.random.key(config.train.seed), shards.replicated)
    hyperparameters = sharding.place(traced_hyperparameters(method), shards.replicated)

    with contextlib.ExitStack() as opened:
        saved = opened.enter_context(checkpoints.manager(directory, config.checkpoint))
        if saved.latest_step() is not None:
            state = checkpoints.restore_state(directory, state, shards.replicated)
        start = int(state.step)
        stop = opened.enter_context(interrupt.catch_signals(jax.process_count() == 1))
        best = checkpoints.best_score(saved)
        writer = opened.enter_context(
            contextlib.closing(metric_writer.metric_writer(directory, start))
        )
        writer.write_settings(config)
        if start == 0:
            for warning in examine.warnings_of_labels(pools):
                logging.warning("%s", warning)
                writer.warn(start, warning)
        watching = examine.watchdogs_of(method, pools)
        watchdogs.restore(watching, directory / workdir.METRICS)
        tracer = opened.enter_context(
            contextlib.closing(
                Tracer(directory / "profile" / f"process_{jax.process_index()}", profile)
            )
        )
        progress = opened.enter_context(contextlib.closing(Progress(start, config.train.steps)))

        def log_pending(pending: tuple[int, Tree]) -> None:
            try:
                _log_step(pending, writer, progress, config, method, pools)
            except failures.NonFiniteLoss as failed:
                try:
                    saved.wait_until_finished()
                    before = dataclasses.replace(state, halted=jax.numpy.zeros_like(state.halted))
                    failures.write(
                        directory,
                        state=before,
                        variables=method.variables(before.params, before.method_state),
                        config=config,
                        record=record,
                        batch=streams.batch(config, method.streams, pools.train, failed.step),
                        images=failed.images,
                        metrics=failed.metrics,
                    )
                except Exception:  # the person should see the NonFiniteLoss
                    logging.exception("step %d cannot be stored for a replay", failed.step + 1)
                raise

        pending: tuple[int, Tree] | None = None
        batches = feed.batches(config, method.streams, pools.train, start, shards)
        for step in range(start, config.train.steps):
            tracer.before(step + 1)
            with jax.profiler.StepTraceAnnotation("train", step_num=step + 1):
                began = time.perf_counter()
                batch = next(batches)
                # While the previous step is running, the devices do not wait for the data.
                idle = pending is None or pending[1]["loss"].is_ready()
                progress.waited(time.perf_counter() - began if idle else 0.0)
                state, metrics = step_function(state, batch, key, hyperparameters)
            tracer.after(step + 1, metrics)
            # The metrics of the previous step are read while this one runs.
            if pending is not None:
                log_pending(pending)
            pending = (step, metrics)

            done = step + 1
            last = done == config.train.steps
            due = last or stop.number is not None or checkpoints.is_due(config.checkpoint, done)
            evaluated = last or done % config.train.eval_every == 0
            if not (evaluated or due):
                continue
            log_pending(pending)
            pending = None
            variables = method.variables(state.params, state.method_state)
            scores = None
            if evaluated:
                scores = evaluate.evaluate(
                    measure_function,
                    variables,
                    pools.val,
                    class_names,
                    config.evaluation.batch_size,
                )
                for prefix, values in {"val": scores, **examine_function(variables, done)}.items():
                    writer.write(done, prefix, values)
                    for warning in watchdogs.warnings(watching, f"{prefix}/", values):
                        logging.warning("step %d, %s", done, warning)
                        writer.warn(done, warning)
                for tag, picture in preview_function(variables).items():
                    writer.write_picture(done, tag, picture)
                score = scores[config.evaluation.selection]
                progress.evaluated(score)
                advanced = plateau.advance(config.optimizer, state.plateau, score)
                advanced = sharding.place(advanced, shards.replicated)
                state = dataclasses.replace(state, plateau=advanced)
                due = due or score > best
                best = max(best, score)
            number = stop.number  # it may have arrived during the evaluation
            if due or number is not None:
                checkpoints.save(saved, state, variables, config, record, scores)
            if number is not None:
                saved.wait_until_finished()
                raise interrupt.Interrupted(number, done)
    return state


def _log_step(
    pending: tuple[int, Tree],
    writer: metric_writer.Writer,
    progress: Progress,
    config: Config,
    method: Method,
    pools: TrainingPools,
) -> None:
    """Checks and shows the metrics of a step; writes them every `train.log_every` steps."""
    step, metrics = pending
    values = {name: float(value) for name, value in metrics.items()}
    if not failures.is_sound(values):
        images = streams.batch_names(config, method.streams, pools.train, step)
        raise failures.NonFiniteLoss(step, values, images)
    rate = progress.step(values)
    done = step + 1
    if done % config.train.log_every == 0 or done == config.train.steps:
        timing = {"steps_per_second": rate, "waiting_for_data": progress.waiting_share()}
        writer.write(done, "train", values | timing | _peak_memory())


def _peak_memory() -> dict[str, float]:
    """Peak memory of the first device in GiB, if the backend reports it (CPUs do not)."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return {} if peak is None else {"peak_memory_gib": peak / 2**30}
