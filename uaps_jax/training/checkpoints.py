"""Checkpoints: the latest and the best together, and evaluation from one alone.

A checkpoint carries checksums of all that is in it. A damaged one, on a bad disk or cut short, is
found before it is used: a run goes on from the one before.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint.checkpoint_managers import preservation_policy

from uaps_jax import config as config_lib
from uaps_jax import files, methods
from uaps_jax.config import CheckpointConfig, Config
from uaps_jax.training import digests
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree

SELECTION = "image_dice"
"""Validation metric that decides which checkpoint is the best."""


FORMAT = 2
"""Of what a checkpoint holds: 1 has no `written_by`, and at first no checksums. Every version reads
all formats up to its own."""


class CheckpointError(ValueError):
    """A checkpoint that is not there or does not fit; its text says which and why."""


class NewerFormatError(CheckpointError):
    """A checkpoint that a later version of this package has written."""


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

    Raises:
      OSError: the disk has no space for the arrays, and nothing of it was written.
      Exception: what Orbax says of the checkpoint before, if writing that one failed.
    """
    step = int(state.step)
    if step in checkpoints.all_steps():
        return
    scored = metrics is not None and math.isfinite(metrics[SELECTION])
    rank = {SELECTION: metrics[SELECTION], "step": step} if metrics and scored else None
    settings = config_lib.to_stored(config)
    # Copies: the step that follows writes over the arrays that it is given.
    host_state, host_variables = jax.tree.map(np.array, (state, variables))
    checkpoints.wait_until_finished()  # of the one before, which takes space too
    size = sum(leaf.nbytes for leaf in jax.tree.leaves((host_state, host_variables)))
    files.require_space(Path(checkpoints.directory), size)
    written_by = {
        "format": FORMAT,
        "jax": jax.__version__,
        "orbax-checkpoint": importlib.metadata.version("orbax-checkpoint"),
    }
    if method_file := methods.file_of(config.method.name):
        written_by["method_file"] = method_file
    checkpoints.save(
        step,
        args=ocp.args.Composite(
            state=ocp.args.StandardSave(host_state),
            variables=ocp.args.StandardSave(host_variables),
            config=ocp.args.JsonSave(settings),
            data=ocp.args.JsonSave(dict(record)),
            written_by=ocp.args.JsonSave(written_by),
            digests=ocp.args.JsonSave(
                {
                    "state": digests.of(host_state),
                    "variables": digests.of(host_variables),
                    "config": digests.of_text(_text(settings)),
                    "data": digests.of_text(_text(record)),
                    "written_by": digests.of_text(_text(written_by)),
                    "metrics": digests.of_text(_text(rank)),
                }
            ),
        ),
        metrics=rank,
    )


def set_damaged_aside(workdir: Path) -> None:
    """Moves damaged checkpoints to `damaged/`, beside the sound ones, and says so.

    The latest and the best are read whole, down to the first that are sound; of the others, what
    opening the folder needs.

    Raises:
      CheckpointError: all are damaged; none is moved.
      NewerFormatError: of a later version; likewise.
    """
    steps = saved_steps(workdir)
    damaged: dict[int, CheckpointError] = {}

    def is_sound(step: int, items: Sequence[str]) -> bool:
        try:
            verify(workdir, step, items)
        except NewerFormatError:
            raise
        except CheckpointError as error:
            damaged[step] = error
        return step not in damaged

    readable = [step for step in steps if is_sound(step, SMALL_ITEMS)]
    latest = next((step for step in reversed(readable) if is_sound(step, ITEMS)), None)
    if steps and latest is None:
        raise CheckpointError(
            f"all checkpoints are damaged, and nothing was changed: {damaged[steps[-1]]}"
        )
    ranks = {step: rank for step in readable if (rank := _saved_rank(workdir, step))}
    for step in sorted(ranks, key=lambda step: ranks[step], reverse=True):
        if step not in damaged and (step == latest or is_sound(step, ITEMS)):
            break
    aside = folder(workdir).resolve().parent / "damaged"
    for step, error in damaged.items():
        aside.mkdir(exist_ok=True)
        place = aside / f"{step}_{time.time_ns()}"
        (folder(workdir) / str(step)).rename(place)
        logging.error("%s. It is now in %s", error, place)


SMALL_ITEMS = ("written_by", "config", "data", "metrics")
ITEMS = (*SMALL_ITEMS, "state", "variables")


def verify(workdir: Path, step: int, items: Sequence[str] = ITEMS) -> None:
    """Reads items of a checkpoint and compares them with their checksums.

    Raises:
      CheckpointError: it is damaged; names what is.
      NewerFormatError: it is of a later version of this package.
      PermissionError: it may not be read.
    """
    place = folder(workdir) / str(step)
    if not (place / "digests").is_dir():
        if (place / "written_by").is_dir():
            raise CheckpointError(f"checkpoint {place} is damaged: its checksums are not there")
        logging.warning("checkpoint %s is of a version that wrote no checksums", place)
        return
    wrong: list[str] = []
    try:
        reader = ocp.JsonCheckpointHandler()
        expected = reader.restore(place / "digests")
        for item in items:
            if item == "written_by" and item not in expected and not (place / item).exists():
                continue
            if item in ("state", "variables"):
                found = digests.differences(read_arrays(place / item), expected[item])
                wrong += [f"{item}/{name}" for name in found]
                continue
            file = place / "metrics" / "metrics"
            if item != "metrics":
                value = reader.restore(place / item)
            else:
                value = json.loads(file.read_text()) if file.parent.is_dir() else None
            if digests.of_text(_text(value)) != expected.get(item):
                wrong.append(item)
            elif item == "written_by" and value["format"] > FORMAT:
                raise NewerFormatError(
                    f"checkpoint {place} is of format {value['format']}; this version of uaps_jax "
                    f"reads formats up to {FORMAT}: use the one that wrote it, or a later one"
                )
    except (PermissionError, MemoryError, NewerFormatError):
        raise
    except Exception as error:  # whatever a library says of files that are not as it left them
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"checkpoint {place} cannot be read: {reason}") from error
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"checkpoint {place} is damaged: {', '.join(wrong[:3])}{more} do not have the "
            "checksums they were saved with"
        )


def _text(value: Mapping[str, Any] | None) -> str:
    return json.dumps(None if value is None else dict(value), sort_keys=True)


def read_arrays(item: Path) -> Any:
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
    if which not in map(str, steps):
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
    if _is_step(first) and (_is_step(last) or not last):
        found = [s for s in steps if int(first) <= s and (not last or s <= int(last))]
    if not found:
        raise CheckpointError(
            f"--checkpoint={which}: must be best, latest, a step, a range like 100-500, or 100- "
            f"for all from there on; there are {', '.join(map(str, steps)) or 'none'}"
        )
    return found


def _is_step(text: str) -> bool:
    """Whether it is a number of steps; more digits than this no number of steps has."""
    return text.isdecimal() and len(text) < 19


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
    if not file.is_file():
        return None
    try:
        return _rank(json.loads(file.read_text()))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointError(f"{file} cannot be read; name a step instead") from error


def read_config(workdir: Path, step: int) -> Config:
    """The configuration that a checkpoint was trained with; its method is known from then on.

    Raises:
      CheckpointError: it cannot be read.
      ConfigError: its method was made by a file that is not there any more.
    """
    verify(workdir, step, ("written_by", "config"))
    place, reader = folder(workdir) / str(step), ocp.JsonCheckpointHandler()
    stored = reader.restore(place / "config")
    if (place / "written_by").is_dir():
        methods.require(
            stored.get("method.name", ""), reader.restore(place / "written_by").get("method_file")
        )
    return config_lib.from_stored(stored)


def read_record(workdir: Path, step: int) -> dict[str, Any]:
    """Which data a checkpoint was trained on: build, classes, protocol, and names by part.

    Raises:
      CheckpointError: it does not say so.
    """
    item = folder(workdir) / str(step) / "data"
    if not item.is_dir():
        raise CheckpointError(f"{item.parent} does not say which data it was trained on")
    verify(workdir, step, ("data",))
    record: dict[str, Any] = ocp.JsonCheckpointHandler().restore(item)
    return record


def restore_variables(workdir: Path, step: int, like: Tree) -> Tree:
    """The variables of a checkpoint; `like` gives the tree, shapes and types that are expected.

    Raises:
      CheckpointError: the checkpoint is damaged, or of another model; names the tensors that
        differ.
    """
    verify(workdir, step, (*SMALL_ITEMS, "variables"))
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
