"""Steps whose loss, gradient or state is not finite: storing and repeating them.

`failed/step_<N>/` of a work directory contains `step.json`, the metrics and the names of the
images; `batch.npz`, the batch; and a checkpoint of the state before the step, with the
configuration. The random key of the step follows from seed and step.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import shutil
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import files, methods
from uaps_jax.config import Config
from uaps_jax.training import checkpoints, optimizers, processes, sharding
from uaps_jax.training import state as state_lib
from uaps_jax.training.state import TrainState
from uaps_jax.training.step import FINITE, Learnt, learn, make_train_step, traced_hyperparameters
from uaps_jax.trees import Tree, named_leaves

ABOUT = "step.json"
BATCH = "batch.npz"
PACKAGE = str(Path(__file__).resolve().parents[1])


class NonFiniteLoss(RuntimeError):
    """The loss, the gradient or the state of a step is not finite.

    Attributes:
      step: 0-based.
      metrics: of the step.
      images: stream -> names.
    """

    def __init__(
        self, step: int, metrics: Mapping[str, float], images: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__(
            f"step {step + 1}: {', '.join(f'{k} = {v:g}' for k, v in metrics.items())}\n"
            f"images: {images}\n"
            "This step changed nothing in the checkpoints. --mode=replay on the same --workdir "
            "repeats it and shows the operation that fails. In another --workdir, a smaller "
            "optimizer.learning_rate or network.dtype=float32 often helps."
        )
        self.step, self.metrics, self.images = step, metrics, images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repetition:
    """A failed step and its repetition.

    Attributes:
      step: counted from 1.
      images: stream -> names.
      metrics: of the step, by name.
      repeated: metrics of the repetition.
      before: names of arrays of the state that were not finite before the step.
      gradients: names of parameters whose gradient is not finite.
      after: names of arrays of the method's state that are not finite after the forward pass.
      origin: the first operation that gave NaN, and its line in the code; "" if none did.
    """

    step: int
    images: Mapping[str, Sequence[str]]
    metrics: Mapping[str, float]
    repeated: Mapping[str, float]
    before: Sequence[str]
    gradients: Sequence[str]
    after: Sequence[str]
    origin: str

    @property
    def failed_again(self) -> bool:
        """Whether the repetition is not finite either."""
        return not is_sound(self.repeated)

    @property
    def by_the_update(self) -> bool:
        """Whether everything is finite up to the optimizer's update."""
        learnt = all(math.isfinite(self.repeated[name]) for name in ("loss", "gradient_norm"))
        return self.failed_again and learnt and not self.before and not self.after


def is_sound(metrics: Mapping[str, float]) -> bool:
    """Whether the loss of a step, its gradient and the state after it are finite."""
    return all(math.isfinite(metrics[name]) for name in FINITE)


def write(
    workdir: Path,
    *,
    state: TrainState,
    variables: Tree,
    config: Config,
    record: Mapping[str, Any],
    batch: Mapping[str, Mapping[str, np.ndarray]],
    images: Mapping[str, Sequence[str]],
    metrics: Mapping[str, float],
) -> Path:
    """Writes everything needed to repeat the step after `state`; returns the new folder.

    Args:
      workdir: of the run.
      state: before the step.
      variables: for prediction, of that state.
      config: of the run.
      record: of the data (`data.protocols.record`).
      batch: stream -> fields of the batch.
      images: stream -> names of the images.
      metrics: of the step.
    """
    step = int(state.step) + 1
    folder = workdir / "failed" / f"step_{step}"
    if processes.is_first():
        shutil.rmtree(folder, ignore_errors=True)
    processes.wait(f"failed_step_{step}")
    with checkpoints.manager(folder, config.checkpoint) as saved:
        checkpoints.save(saved, state, variables, config, record, None)
    if processes.is_first():
        content = io.BytesIO()
        arrays: dict[str, Any] = {
            f"{stream}/{name}": a for stream, fed in batch.items() for name, a in fed.items()
        }
        np.savez_compressed(content, **arrays)
        files.write_bytes(folder / BATCH, content.getvalue())
        about = {
            "step": step,
            "measured": {name: str(value) for name, value in metrics.items()},
            "images": images,
        }
        files.write_text(folder / ABOUT, json.dumps(about, indent=1) + "\n")
    return folder


def latest(workdir: Path) -> Path:
    """The folder of the last failed step.

    Raises:
      CheckpointError: there is none.
    """
    written = list((workdir / "failed").glob(f"step_*/{ABOUT}"))
    if not written:
        raise checkpoints.CheckpointError(
            f"{workdir / 'failed'} holds no failed step; --mode=replay repeats a step whose loss "
            "was not finite"
        )
    return max(written, key=lambda file: file.stat().st_mtime).parent


def repeat(folder: Path) -> Repetition:
    """Repeats a failed step on the first device; the datasets are not needed.

    Raises:
      CheckpointError: its files are damaged.
    """
    about, batch = _read(folder)
    done = about["step"] - 1
    checkpoints.verify(folder, done)
    config = checkpoints.read_config(folder, done)
    method, shards = methods.build(config), sharding.over_devices(1)
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    state = checkpoints.restore_state(folder, state, shards.replicated)
    key, hyperparameters = jax.random.key(config.train.seed), traced_hyperparameters(method)

    @jax.jit
    def gradients(state: TrainState, batch: Tree) -> Learnt:
        return learn(method, config, state, batch, key, hyperparameters)

    before = _not_finite(
        {
            "params": state.params,
            "method_state": state.method_state,
            "memory": state.memory,
            "optimizer": state.opt_state,
        }
    )
    learnt = gradients(state, batch)
    origin = _origin(gradients, state, batch)
    step = make_train_step(method, optimizer, config, shards)
    _, metrics = step(state, batch, key, hyperparameters)
    return Repetition(
        step=about["step"],
        images=about["images"],
        metrics=about["measured"],
        repeated={name: float(value) for name, value in metrics.items()},
        before=before,
        gradients=_not_finite(learnt.gradients),
        after=_not_finite({"method_state": learnt.method_state}),
        origin=origin,
    )


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """The content of `step.json` and the batch."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        known = {
            "step": int(about["step"]),
            "measured": {str(k): float(v) for k, v in about["measured"].items()},
            "images": {str(k): list(map(str, v)) for k, v in about["images"].items()},
        }
        batch: dict[str, dict[str, np.ndarray]] = {}
        with np.load(folder / BATCH, allow_pickle=False) as arrays:
            for path, array in arrays.items():
                stream, _, name = path.partition("/")
                batch.setdefault(stream, {})[name] = array
    except Exception as error:  # numpy raises many types for a damaged file
        raise checkpoints.CheckpointError(f"{folder} cannot be read: {error!r}") from error
    return known, batch


def _not_finite(tree: Tree) -> list[str]:
    """Names of the arrays that hold NaN or infinity."""
    return [
        name
        for name, leaf in named_leaves(tree).items()
        if jnp.issubdtype(leaf.dtype, jnp.floating) and not jnp.isfinite(leaf).all()
    ]


def _origin(function: Any, *arguments: Any) -> str:
    """The first operation of a function that gives NaN, and its line in this package.

    In a backward pass the line is that of the derivative, and in a scan that of the scan.
    """
    with jax.debug_nans(True), contextlib.redirect_stdout(io.StringIO()):
        try:
            function(*arguments)
        except FloatingPointError as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if PACKAGE in f.filename]
            inner = next((f for f in reversed(frames) if f.filename != __file__), None)
            reason = str(error).partition("\n")[0]
            if inner is None:
                return reason
            file = Path(inner.filename).relative_to(Path(PACKAGE).parent)
            return f"{reason} ({file}:{inner.lineno}, {inner.line})"
        except Exception as error:  # such as too little memory, without fusion
            return f"the search for it failed: {error!r}"
    return ""
