"""The loop: draw, step, log, evaluate, save; and again after a stop, as if there had been none."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tqdm
from absl import logging

from uaps_jax import methods
from uaps_jax.config import Config
from uaps_jax.data import streams
from uaps_jax.data.source import Images, Pool
from uaps_jax.evaluation import evaluate, health, watchdogs
from uaps_jax.methods import teacher
from uaps_jax.methods.base import Method
from uaps_jax.training import (
    checkpoints,
    failures,
    feed,
    interrupt,
    optimizers,
    processes,
    sharding,
    workdir,
)
from uaps_jax.training import state as state_lib
from uaps_jax.training.state import TrainState
from uaps_jax.training.step import make_train_step, traced_weights
from uaps_jax.training.trace import Tracer
from uaps_jax.trees import Tree

UNSHOWN = ("gradient_norm", "state_norm", "ramp")  # beside the bar
LONG_RUN_HOURS = 6
"""On a CPU, a run that would take longer is told of the shortened settings."""


class NonFiniteLoss(RuntimeError):
    """The loss is not a number any more; the text says when and on which images.

    Attributes:
      step: 0-based.
      measured: what the step measured.
      images: stream -> names.
    """

    def __init__(
        self, step: int, measured: Mapping[str, float], images: Mapping[str, Sequence[str]]
    ) -> None:
        """Words it."""
        super().__init__(
            f"step {step + 1}: {', '.join(f'{k} = {v:g}' for k, v in measured.items())}\n"
            f"images: {images}\n"
            "Nothing of this step was saved. --mode=replay on the same --workdir repeats it and "
            "says where it goes wrong. In another --workdir, a smaller optimizer.learning_rate or "
            "network.dtype=float32 often helps."
        )
        self.step, self.measured, self.images = step, measured, images


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingPools:
    """The images of one run.

    Attributes:
      train: "labeled" and, where the method wants it, "unlabeled": all in memory, to live on the
        devices, or all in files, to be streamed. Masks of unlabeled images are never handed on.
      val: for choosing the checkpoint.
      probe: unlabeled images with their hidden truth, for measuring pseudo-labels and nothing
        else; None where nothing is to be measured.
      labeled_shares: class -> percent of the labeled pixels, which pseudo-labels are held against.
    """

    train: Mapping[str, Images]
    val: Pool
    probe: Pool | None
    labeled_shares: Mapping[str, float]


def train(
    config: Config,
    directory: Path,
    pools: TrainingPools,
    class_names: Sequence[str],
    record: Mapping[str, Any],
    profile: tuple[int, int] | None = None,
) -> TrainState:
    """Trains, or goes on training, in a work directory.

    Args:
      config: validated and frozen.
      directory: claimed by `workdir.claim`.
      pools: the images.
      class_names: background first.
      record: which data these are, for the checkpoints (`data.protocols.record`).
      profile: the first and the last step, from 1, of a trace in `profile/`; None for none.

    Returns:
      The state after the last step; its checkpoint is written.

    Raises:
      NonFiniteLoss: the loss or the gradient became NaN or infinite. That step changed nothing;
        what repeats it is in `failed/` (`failures.write`).
      Interrupted: SIGTERM or SIGINT came; the step that was running is finished and saved. (Of
        several processes, each ends at once.)
    """
    method = methods.build(config)
    shards = sharding.over_devices()
    sharding.check_batches(config, method.streams.values(), shards)
    optimizer = optimizers.adam(config.optimizer)
    step_function = make_train_step(method, optimizer, config, shards)
    confusion_function = evaluate.make_confusion_function(
        method.predictor(config.evaluation.predictor),
        config.data.classes,
        deterministic=config.train.deterministic,
    )
    examine = _examiner(method, config, pools, class_names)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    state = sharding.place(state, shards.replicated)
    key = sharding.place(jax.random.key(config.train.seed), shards.replicated)
    weights = sharding.place(traced_weights(method), shards.replicated)

    with contextlib.ExitStack() as opened:
        saved = opened.enter_context(checkpoints.manager(directory, config.checkpoint))
        if saved.latest_step() is not None:
            state = checkpoints.restore_state(saved, state, shards.replicated)
        start = int(state.step)
        stop = opened.enter_context(interrupt.watched(jax.process_count() == 1))
        best = checkpoints.best_score(saved)
        writer = opened.enter_context(contextlib.closing(workdir.metric_writer(directory, start)))
        dogs = _watchdogs(method, pools)
        watchdogs.remember(dogs, directory / workdir.METRICS)
        tracer = opened.enter_context(
            contextlib.closing(
                Tracer(directory / "profile" / f"process_{jax.process_index()}", profile)
            )
        )
        progress = opened.enter_context(contextlib.closing(Progress(start, config.train.steps)))

        def account(pending: tuple[int, Tree]) -> None:
            try:
                _record(pending, writer, progress, config, method, pools)
            except NonFiniteLoss as failed:
                try:
                    saved.wait_until_finished()
                    before = state_lib.resumed(state)
                    failures.write(
                        directory,
                        state=before,
                        variables=method.variables(before.params, before.method_state),
                        config=config,
                        record=record,
                        batch=streams.batch(config, method.streams, pools.train, failed.step),
                        images=failed.images,
                        measured=failed.measured,
                    )
                except Exception:  # of which the loss that is not finite is the first cause
                    logging.exception("what repeats step %d cannot be kept", failed.step + 1)
                raise

        pending: tuple[int, Tree] | None = None
        batches = feed.batches(config, method.streams, pools.train, start, shards)
        for step in range(start, config.train.steps):
            tracer.before(step + 1)
            with jax.profiler.StepTraceAnnotation("train", step_num=step + 1):
                asked = time.perf_counter()
                batch = next(batches)
                # While the step before is running, nothing waits for the data.
                idle = pending is None or pending[1]["loss"].is_ready()
                progress.waited(time.perf_counter() - asked if idle else 0.0)
                state, measured = step_function(state, batch, key, weights)
            tracer.after(step + 1, measured)
            # The numbers of the step before are read while this one runs.
            if pending is not None:
                account(pending)
            pending = (step, measured)

            done = step + 1
            last = done == config.train.steps
            due = last or stop.number is not None or checkpoints.is_due(config.checkpoint, done)
            evaluated = last or done % config.train.eval_every == 0
            if not (evaluated or due):
                continue
            account(pending)
            pending = None
            variables = method.variables(state.params, state.method_state)
            scores = None
            if evaluated:
                scores = evaluate.evaluate(
                    confusion_function,
                    variables,
                    pools.val,
                    class_names,
                    config.evaluation.batch_size,
                )
                for prefix, values in {"val": scores, **examine(variables, done)}.items():
                    writer.write(done, prefix, values)
                    for warning in watchdogs.bark(dogs, f"{prefix}/", values):
                        logging.warning("step %d, %s", done, warning)
                        writer.warn(done, warning)
                score = scores[checkpoints.SELECTION]
                progress.evaluated(score)
                plateau = optimizers.advance_plateau(config.optimizer, state.plateau, score)
                plateau = sharding.place(plateau, shards.replicated)
                state = dataclasses.replace(state, plateau=plateau)
                due = due or score > best
                best = max(best, score)
            number = stop.number  # it may have come by now
            if due or number is not None:
                checkpoints.save(saved, state, variables, config, record, scores)
            if number is not None:
                saved.wait_until_finished()
                raise interrupt.Interrupted(number, done)
    return state


def _examiner(
    method: Method, config: Config, pools: TrainingPools, class_names: Sequence[str]
) -> Callable[[Tree, int], dict[str, dict[str, float]]]:
    """Measures pseudo-labels and teacher after so many steps: prefix -> values."""
    if method.probe is not None:
        probe = health.make_probe_function(
            method.probe, config.data.classes, deterministic=config.train.deterministic
        )
    distance = jax.jit(teacher.distance)
    key = jax.random.fold_in(jax.random.key(config.train.seed), zlib.crc32(b"probe"))

    def examine(variables: Tree, done: int) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        if method.probe is not None and pools.probe is not None:
            found["probe"] = health.measure(
                probe,
                variables,
                pools.probe,
                class_names,
                config.evaluation.batch_size,
                key,
                done - 1,
            )
        if method.averaged is not None:
            found["teacher"] = {"distance": float(distance(*method.averaged(variables)))}
        return found

    return examine


def _watchdogs(method: Method, pools: TrainingPools) -> list[watchdogs.Watchdog]:
    """Those that a run of this method has, in the process that writes."""
    if not processes.is_first():
        return []
    dogs: list[watchdogs.Watchdog] = [watchdogs.ValidationScore(checkpoints.SELECTION)]
    if method.probe is not None and pools.probe is not None:
        dogs.append(watchdogs.PseudoLabels(pools.labeled_shares))
    if method.averaged is not None:
        dogs.append(watchdogs.Teacher())
    return dogs


def _record(
    pending: tuple[int, Tree],
    writer: workdir.Writer,
    progress: Progress,
    config: Config,
    method: Method,
    pools: TrainingPools,
) -> None:
    """Reads a step's numbers, checks them, shows them, and logs every so many of them."""
    step, measured = pending
    values = {name: float(value) for name, value in measured.items()}
    if not failures.is_sound(values):
        raise NonFiniteLoss(step, values, streams.names(config, method.streams, pools.train, step))
    rate = progress.step(values)
    done = step + 1
    if done % config.train.log_every == 0 or done == config.train.steps:
        timing = {"steps_per_second": rate, "waiting_for_data": progress.waiting_share()}
        writer.write(done, "train", values | timing | _peak_memory())


def _peak_memory() -> dict[str, float]:
    """Peak memory of the first device in GiB, where the backend counts it (CPUs do not)."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return {} if peak is None else {"peak_memory_gib": peak / 2**30}


class Progress:
    """A bar with the time left, the losses, and the latest validation score."""

    def __init__(self, start: int, steps: int) -> None:
        """Opens the bar; compilation is timed apart, as the first step."""
        quiet = 0.5 if sys.stderr.isatty() else 15.0
        self._bar = tqdm.tqdm(
            total=steps,
            initial=start,
            unit="step",
            mininterval=quiet,
            dynamic_ncols=True,
            disable=not processes.is_first(),
        )
        self._done = 0
        self._times = [time.perf_counter()]
        self._waits: list[float] = []
        self._remaining = steps - start
        self._score = ""

    def step(self, values: dict[str, float]) -> float:
        """Counts a step and returns the current steps per second (0 until it is known)."""
        self._times = [*self._times[-50:], time.perf_counter()]
        self._remaining -= 1
        shown = {k: f"{v:.3g}" for k, v in values.items() if k not in UNSHOWN}
        self._bar.set_postfix(shown | ({"val": self._score} if self._score else {}), refresh=False)
        self._bar.update()
        self._done += 1
        count = self._done
        if count == 1:
            logging.info("first step, compilation included: %.1f s", self._elapsed(1))
        if count < 3:
            return 0.0
        seconds = float(np.median(np.diff(self._times)))
        if count == 6:
            self._estimate(seconds)
        return 1 / seconds

    def waited(self, seconds: float) -> None:
        """Notes how long a step waited for its data."""
        self._waits = [*self._waits[-50:], seconds]

    def waiting_share(self) -> float:
        """The waits for data as a share of the time of the last steps; 0 until it is known."""
        steps = len(self._times) - 1
        if steps < 2:
            return 0.0
        return float(sum(self._waits[-steps:]) / (self._times[-1] - self._times[0]))

    def evaluated(self, score: float) -> None:
        """Shows a validation score from now on."""
        self._score = f"{score:.2f}"
        self._times = [time.perf_counter()]

    def close(self) -> None:
        """Closes the bar."""
        self._bar.close()

    def _elapsed(self, steps: int) -> float:
        return self._times[-1] - self._times[-1 - steps]

    def _estimate(self, seconds: float) -> None:
        left = self._remaining * seconds
        logging.info("%.2f s a step: about %s left, evaluations apart", seconds, duration(left))
        if left > LONG_RUN_HOURS * 3600 and jax.default_backend() == "cpu":
            logging.warning(
                "This setting is meant for a GPU: here it would take about %s. The shortened "
                "settings take minutes to an hour: --config=FILE.py:small or FILE.py:medium.",
                duration(left),
            )


def duration(seconds: float) -> str:
    """Seconds in the unit a person would choose."""
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.1f} days"
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.1f} minutes"
