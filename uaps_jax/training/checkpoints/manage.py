"""Writing checkpoints, and the rules for keeping them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from uaps_jax import config as config_lib
from uaps_jax import external, files
from uaps_jax.config import CheckpointConfig, Config
from uaps_jax.training import digests
from uaps_jax.training.checkpoints.files import folder, json_text, rank_of
from uaps_jax.training.checkpoints.formats import FORMAT
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree


@contextlib.contextmanager
def manager(workdir: Path, keep: CheckpointConfig) -> Iterator[ocp.CheckpointManager]:
    """Opens the checkpoints of a work directory, for writing or reading.

    Keeps the two latest, the one with the best validation score, and those of `keep`.
    Writing is asynchronous; leaving the context waits for it.
    """
    policies: list[preservation_policy.PreservationPolicy] = [
        preservation_policy.LatestN(2),
        preservation_policy.BestN(
            get_metric_fn=rank_of, n=1, keep_checkpoints_without_metrics=False
        ),
    ]
    if keep.keep_every:
        policies.append(preservation_policy.EveryNSteps(keep.keep_every))
    if keep.keep_at:
        policies.append(preservation_policy.CustomSteps(keep.keep_at))
    options = ocp.CheckpointManagerOptions(
        preservation_policy=preservation_policy.AnyPreservationPolicy(policies),
        best_fn=rank_of,
        best_mode="max",
        cleanup_tmp_directories=True,
    )
    with ocp.CheckpointManager(folder(workdir), options=options) as opened:
        yield opened


def is_due(keep: CheckpointConfig, step: int) -> bool:
    """Whether a checkpoint of this step is written whatever its score is."""
    kept = keep.keep_every and step % keep.keep_every == 0
    return step % keep.every == 0 or step in keep.keep_at or bool(kept)


def best_score(checkpoints: ocp.CheckpointManager) -> float:
    """The best validation score of the existing checkpoints; -1 if none was evaluated."""
    scores = (checkpoints.metrics(step) for step in checkpoints.all_steps())
    return max((rank_of(metrics)[0] for metrics in scores if metrics is not None), default=-1.0)


def save(
    checkpoints: ocp.CheckpointManager,
    state: TrainState,
    variables: Tree,
    config: Config,
    record: Mapping[str, Any],
    metrics: dict[str, float] | None,
) -> None:
    """Writes a checkpoint of the state's step, unless it exists.

    Args:
      checkpoints: from `manager`.
      state: to resume from.
      variables: for prediction; a separate item, so that evaluation reads only this one.
      config: of the run.
      record: of the data (`data.protocols.record`).
      metrics: validation scores, of which `evaluation.selection` decides which checkpoint is the
        best; None if this step was not evaluated. A step without a finite score, because no
        validation image has a defect, is never the best.

    Raises:
      OSError: the disk has too little space; nothing was written.
      Exception: Orbax failed to write the previous checkpoint.
    """
    step = int(state.step)
    if step in checkpoints.all_steps():
        return
    selection = config.evaluation.selection
    scored = metrics is not None and math.isfinite(metrics[selection])
    rank = {selection: metrics[selection], "step": step} if metrics and scored else None
    settings = config_lib.to_stored(config)
    # Copies, because the next step donates these arrays.
    host_state, host_variables = jax.tree.map(np.array, (state, variables))
    checkpoints.wait_until_finished()  # the previous one takes space too
    size = sum(leaf.nbytes for leaf in jax.tree.leaves((host_state, host_variables)))
    files.require_space(Path(checkpoints.directory), size)
    written_by: dict[str, Any] = {
        "format": FORMAT,
        "jax": jax.__version__,
        "orbax-checkpoint": importlib.metadata.version("orbax-checkpoint"),
        **external.files_of(config),
    }
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
                    "config": digests.of_text(json_text(settings)),
                    "data": digests.of_text(json_text(record)),
                    "written_by": digests.of_text(json_text(written_by)),
                    "metrics": digests.of_text(json_text(rank)),
                }
            ),
        ),
        metrics=rank,
    )
