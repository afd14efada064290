"""Checkpoints: the latest and the best together, and evaluation from one alone.

A checkpoint carries checksums of all that is in it. A damaged one, on a bad disk or cut short, is
found before it is used: a run goes on from the one before.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint.checkpoint_managers import preservation_policy

from uaps_jax import config as config_lib
from uaps_jax.config import CheckpointConfig, Config
from uaps_jax.training import digests
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree

SELECTION = "image_dice"
"""Validation metric that decides which checkpoint is the best."""


class CheckpointError(ValueError):
    """A checkpoint that is not there or does not fit; its text says which and why."""


def _rank(metrics: Any) -> tuple[float, int]:
    """A higher score is better, and of equal ones the earlier."""
    return float(metrics[SELECTION]), -int(metrics["step"])


@contextlib.contextmanager
def manager(workdir: Path, keep: CheckpointConfig) -> Iterator[ocp.CheckpointManager]:
    """Opens the checkpoints of a work directory, for writing or reading.

    Keeps the two latest, the one with the best validation `image_dice`, and those that `keep`
    names. Writing is asynchronous; leaving the context waits for it.
    """
    policies: list[preservation_policy.PreservationPolicy] = [
        preservation_policy.LatestN(2),
        preservation_policy.BestN(get_metric_fn=_rank, n=1, keep_checkpoints_without_metrics=False),
    ]
    if keep.keep_every:
        policies.append(preservation_policy.EveryNSteps(keep.keep_every))
    if keep.keep_at:
        policies.append(preservation_policy.CustomSteps(keep.keep_at))
    options = ocp.CheckpointManagerOptions(
        preservation_policy=preservation_policy.AnyPreservationPolicy(policies),
        best_fn=_rank,
        best_mode="max",
        cleanup_tmp_directories=True,
    )
    with ocp.CheckpointManager(folder(workdir), options=options) as opened:
        yield opened


def folder(workdir: Path) -> Path:
    """Where a work directory keeps its checkpoints."""
    return workdir.resolve() / "checkpoints"


def is_due(keep: CheckpointConfig, step: int) -> bool:
    """Whether a checkpoint of this step is asked for, whatever its score."""
    kept = keep.keep_every and step % keep.keep_every == 0
    return step % keep.every == 0 or step in keep.keep_at or bool(kept)


def best_score(checkpoints: ocp.CheckpointManager) -> float:
    """The best validation score among the checkpoints that are kept; -1 if none was evaluated."""
    found = (checkpoints.metrics(step) for step in checkpoints.all_steps())
    return max((_rank(metrics)[0] for metrics in found if metrics is not None), default=-1.0)


def save(
    checkpoints: ocp.CheckpointManager,
    state: TrainState,
    variables: Tree,
    config: Config,
    record: Mapping[str, Any],
    metrics: dict[str, float] | None,
) -> None:
    """Writes a checkpoint of the state's step, unless it is there.

    Args:
      checkpoints: from `manager`.
      state: to resume from.
      variables: what prediction needs, as an item of its own, so that evaluation reads no more.
      config: of the run.
      record: which data it is trained on (`data.protocols.record`).
      metrics: validation scores; None if this step was not evaluated. A step without a finite
        score, for want of a validation image with a defect, is never the best.
    """
    step = int(state.step)
    if step in checkpoints.all_steps():
        return
    scored = metrics is not None and math.isfinite(metrics[SELECTION])
    checkpoints.save(
        step,
        args=ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            variables=ocp.args.StandardSave(variables),
            config=ocp.args.JsonSave(config_lib.flatten(config)),
            data=ocp.args.JsonSave(dict(record)),
            digests=ocp.args.JsonSave(
                {
                    "state": digests.of(state),
                    "variables": digests.of(variables),
                    "config": digests.of_text(_text(config_lib.flatten(config))),
                    "data": digests.of_text(_text(record)),
                }
            ),
        ),
        metrics={SELECTION: metrics[SELECTION], "step": step} if metrics and scored else None,
    )


def set_damaged_aside(workdir: Path) -> None:
    """Moves the latest checkpoints, as long as they are damaged, to `damaged/`, and says so.

    Raises:
      CheckpointError: none is left of those that were there.
    """
    steps = saved_steps(workdir)
    for step in reversed(steps):
        try:
            verify(workdir, step)
        except CheckpointError as error:
            aside = workdir.resolve() / "damaged"
            aside.mkdir(exist_ok=True)
            place = aside / f"{step}_{time.time_ns()}"
            (folder(workdir) / str(step)).rename(place)
            logging.error("%s. It is now in %s", error, place)
            continue
        return
    if steps:
        raise CheckpointError(
            f"all checkpoints of {workdir} are damaged (see damaged/); to start over, use another "
            "--workdir"
        )


def verify(workdir: Path, step: int) -> None:
    """Reads a checkpoint whole and compares it with its checksums.

    Raises:
      CheckpointError: it is damaged; names what is.
    """
    place = folder(workdir) / str(step)
    if not (place / "digests").is_dir():
        logging.warning("checkpoint %s is of a version that wrote no checksums", place)
        return
    try:
        reader = ocp.JsonCheckpointHandler()
        expected = reader.restore(place / "digests")
        wrong = [
            f"{item}/{name}"
            for item in ("state", "variables")
            for name in digests.differences(_arrays(place / item), expected[item])
        ]
        wrong += [
            item
            for item in ("config", "data")
            if digests.of_text(_text(reader.restore(place / item))) != expected[item]
        ]
    except Exception as error:  # whatever a library says of files that are not as it left them
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"checkpoint {place} cannot be read: {reason}") from error
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"checkpoint {place} is damaged: {', '.join(wrong[:3])}{more} do not have the "
            "checksums they were saved with"
        )


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True)


def _arrays(item: Path) -> Any:
    """The arrays of an item of a checkpoint, as numpy's."""
    reader = ocp.PyTreeCheckpointHandler()
    kinds = jax.tree.map(
        lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray), reader.metadata(item).tree
    )
    return reader.restore(item, args=ocp.args.PyTreeRestore(restore_args=kinds))


def restore_state(
    checkpoints: ocp.CheckpointManager, like: TrainState, sharding: jax.sharding.Sharding
) -> TrainState:
    """The latest state, on `sharding`; `like` gives its structure, shapes and types."""
    target = _abstract(like, sharding)
    restored = checkpoints.restore(
        checkpoints.latest_step(), args=ocp.args.Composite(state=ocp.args.StandardRestore(target))
    )
    return restored["state"]


def find_step(workdir: Path, which: str) -> int:
    """The step that `best`, `latest` or a number names.

    Raises:
      CheckpointError: there is none such; the text lists the steps there are.
    """
    steps = saved_steps(workdir)
    if not steps:
        raise CheckpointError(f"{folder(workdir)} holds no checkpoint; train first (--mode=train)")
    if which == "latest":
        return steps[-1]
    if which == "best":
        if not has_best(workdir):
            raise CheckpointError(
                f"no checkpoint in {folder(workdir)} has a validation score; use latest"
            )
        return -max(rank for step in steps if (rank := _saved_rank(workdir, step)))[1]
    if not which.isdigit() or int(which) not in steps:
        raise CheckpointError(
            f"--checkpoint={which}: must be best, latest or one of {', '.join(map(str, steps))}"
        )
    return int(which)


def find_steps(workdir: Path, which: str) -> list[int]:
    """The steps that `which` names: one as for `find_step`, `A-B` (both included), or `A-`.

    Raises:
      CheckpointError: there is none such; the text lists the steps there are.
    """
    first, dash, last = which.partition("-")
    if not dash:
        return [find_step(workdir, which)]
    steps = saved_steps(workdir)
    found = []
    if first.isdigit() and (last.isdigit() or not last):
        found = [s for s in steps if int(first) <= s and (not last or s <= int(last))]
    if not found:
        raise CheckpointError(
            f"--checkpoint={which}: must be best, latest, a step, a range like 100-500, or 100- "
            f"for all from there on; there are {', '.join(map(str, steps)) or 'none'}"
        )
    return found


def has_best(workdir: Path) -> bool:
    """Whether any checkpoint of a work directory has a validation score."""
    return any(_saved_rank(workdir, step) for step in saved_steps(workdir))


def saved_steps(workdir: Path) -> list[int]:
    """Steps of the complete checkpoints of a work directory, ascending."""
    if not folder(workdir).is_dir():
        return []
    return sorted(ocp.utils.checkpoint_steps(folder(workdir)))


def _saved_rank(workdir: Path, step: int) -> tuple[float, int] | None:
    file = folder(workdir) / str(step) / "metrics" / "metrics"
    return _rank(json.loads(file.read_text())) if file.is_file() else None


def read_config(workdir: Path, step: int) -> Config:
    """The configuration that a checkpoint was trained with."""
    item = folder(workdir) / str(step) / "config"
    return config_lib.from_flat(ocp.JsonCheckpointHandler().restore(item))


def read_record(workdir: Path, step: int) -> dict[str, Any]:
    """Which data a checkpoint was trained on: build, classes, protocol, and names by part.

    Raises:
      CheckpointError: it does not say so.
    """
    item = folder(workdir) / str(step) / "data"
    if not item.is_dir():
        raise CheckpointError(f"{item.parent} does not say which data it was trained on")
    record: dict[str, Any] = ocp.JsonCheckpointHandler().restore(item)
    return record


def restore_variables(workdir: Path, step: int, like: Tree) -> Tree:
    """The variables of a checkpoint; `like` gives the tree, shapes and types that are expected.

    Raises:
      CheckpointError: the checkpoint is damaged, or of another model; names the tensors that
        differ.
    """
    verify(workdir, step)
    item = folder(workdir) / str(step) / "variables"
    reader = ocp.StandardCheckpointHandler()
    saved, wanted = _shapes(reader.metadata(item).tree), _shapes(like)
    if saved != wanted:
        lines = [
            f"  {name}: the checkpoint has {saved.get(name, 'none')}, "
            f"the configuration asks for {wanted.get(name, 'none')}"
            for name in sorted(saved.keys() | wanted.keys())
            if saved.get(name) != wanted.get(name)
        ]
        more = [f"  and {len(lines) - 8} more"] if len(lines) > 8 else []
        raise CheckpointError(
            f"checkpoint {item.parent} is of another model:\n" + "\n".join(lines[:8] + more)
        )
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return reader.restore(item, args=ocp.args.StandardRestore(_abstract(like, sharding)))


def _abstract(tree: Any, sharding: jax.sharding.Sharding) -> Any:
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype, sharding=sharding), tree
    )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in leaves
    }
