"""Steps whose loss, gradient or state is not finite: all that repeats one, and its repetition.

In `failed/step_<N>/` of a work directory are `step.json`, what was measured and which images were
shown; `batch.npz`, those images, their masks and rows as the step was fed; and a checkpoint of the
state before the step, with the configuration. The key of the step is made of seed and step.
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
from uaps_jax.trees import Tree

ABOUT = "step.json"
BATCH = "batch.npz"
PACKAGE = str(Path(__file__).resolve().parents[1])


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
class Repetition:
    """A failed step, and what it did when it was repeated.

    Attributes:
      step: counted from 1.
      images: stream -> names.
      measured: what the step measured, by name.
      repeated: the same of the repetition.
      before: names of arrays of the state that were not finite before the step.
      gradients: names of parameters whose gradient is not finite.
      after: names of arrays of the method's state that are not finite after the forward pass.
      origin: the first operation that gave NaN and where it stands in the code; "" if none did.
    """

    step: int
    images: Mapping[str, Sequence[str]]
    measured: Mapping[str, float]
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
        """Whether all is finite until the optimizer's update."""
        learnt = all(math.isfinite(self.repeated[name]) for name in ("loss", "gradient_norm"))
        return self.failed_again and learnt and not self.before and not self.after


def is_sound(measured: Mapping[str, float]) -> bool:
    """Whether the loss of a step, its gradient and the state after it are finite."""
    return all(math.isfinite(measured[name]) for name in FINITE)


def write(
    workdir: Path,
    *,
    state: TrainState,
    variables: Tree,
    config: Config,
    record: Mapping[str, Any],
    batch: Mapping[str, Mapping[str, np.ndarray]],
    images: Mapping[str, Sequence[str]],
    measured: Mapping[str, float],
) -> Path:
    """Writes what repeats the step after `state`, and returns its folder, made anew.

    Args:
      workdir: of the run.
      state: before the step.
      variables: what prediction needs, of that state.
      config: of the run.
      record: which data it is trained on.
      batch: stream -> what the step was fed.
      images: stream -> their names.
      measured: what the step measured.
    """
    step = int(state.step) + 1
    place = workdir / "failed" / f"step_{step}"
    if processes.is_first():
        shutil.rmtree(place, ignore_errors=True)
    processes.wait(f"failed_step_{step}")
    with checkpoints.manager(place, config.checkpoint) as saved:
        checkpoints.save(saved, state, variables, config, record, None)
    if processes.is_first():
        content = io.BytesIO()
        arrays: dict[str, Any] = {
            f"{stream}/{name}": a for stream, fed in batch.items() for name, a in fed.items()
        }
        np.savez_compressed(content, **arrays)
        files.write_bytes(place / BATCH, content.getvalue())
        about = {
            "step": step,
            "measured": {name: str(value) for name, value in measured.items()},
            "images": images,
        }
        files.write_text(place / ABOUT, json.dumps(about, indent=1) + "\n")
    return place


def latest(workdir: Path) -> Path:
    """The folder of the last step that failed.

    Raises:
      CheckpointError: none did.
    """
    found = list((workdir / "failed").glob(f"step_*/{ABOUT}"))
    if not found:
        raise checkpoints.CheckpointError(
            f"{workdir / 'failed'} holds no failed step; --mode=replay repeats a step whose loss "
            "was not finite"
        )
    return max(found, key=lambda file: file.stat().st_mtime).parent


def repeat(place: Path) -> Repetition:
    """Repeats a failed step on the first device; the datasets are not needed.

    Raises:
      CheckpointError: what was kept of it is damaged.
    """
    about, batch = _read(place)
    done = about["step"] - 1
    checkpoints.verify(place, done)
    config = checkpoints.read_config(place, done)
    method, shards = methods.build(config), sharding.over_devices(1)
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    state = checkpoints.restore_state(place, state, shards.replicated)
    key, hyperparameters = jax.random.key(config.train.seed), traced_hyperparameters(method)

    @jax.jit
    def gradients(state: TrainState, batch: Tree) -> Learnt:
        return learn(method, config, state, batch, key, hyperparameters)

    before = _not_finite(
        {"params": state.params, "method_state": state.method_state, "optimizer": state.opt_state}
    )
    learnt = gradients(state, batch)
    origin = _origin(gradients, state, batch)
    step = make_train_step(method, optimizer, config, shards)
    _, measured = step(state, batch, key, hyperparameters)
    return Repetition(
        step=about["step"],
        images=about["images"],
        measured=about["measured"],
        repeated={name: float(value) for name, value in measured.items()},
        before=before,
        gradients=_not_finite(learnt.gradients),
        after=_not_finite({"method_state": learnt.method_state}),
        origin=origin,
    )


def _read(place: Path) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """What is known of a failed step, and its batch."""
    try:
        about = json.loads((place / ABOUT).read_text())
        known = {
            "step": int(about["step"]),
            "measured": {str(k): float(v) for k, v in about["measured"].items()},
            "images": {str(k): list(map(str, v)) for k, v in about["images"].items()},
        }
        batch: dict[str, dict[str, np.ndarray]] = {}
        with np.load(place / BATCH, allow_pickle=False) as arrays:
            for path, array in arrays.items():
                stream, _, name = path.partition("/")
                batch.setdefault(stream, {})[name] = array
    except Exception as error:  # whatever numpy says of a file that is not as it left it
        raise checkpoints.CheckpointError(f"{place} cannot be read: {error!r}") from error
    return known, batch


def _not_finite(tree: Tree) -> list[str]:
    """Names of the arrays that hold NaN or infinity."""
    return [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if jnp.issubdtype(leaf.dtype, jnp.floating) and not jnp.isfinite(leaf).all()
    ]


def _origin(function: Any, *arguments: Any) -> str:
    """The first operation of a function that gives NaN, and the line of this package it is on.

    Backwards, JAX knows no line but that of the derivative; inside of a scan, that of the scan.
    """
    with jax.debug_nans(True), contextlib.redirect_stdout(io.StringIO()):
        try:
            function(*arguments)
        except FloatingPointError as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if PACKAGE in f.filename]
            inner = next((f for f in reversed(frames) if f.filename != __file__), None)
            said = str(error).partition("\n")[0]
            if inner is None:
                return said
            file = Path(inner.filename).relative_to(Path(PACKAGE).parent)
            return f"{said} ({file}:{inner.lineno}, {inner.line})"
        except Exception as error:  # one by one, operations take more memory
            return f"it could not be looked for: {error!r}"
    return ""
