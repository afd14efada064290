"""The checkpoints in a work directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or of another network."""


class NewerFormatError(CheckpointError):
    """A checkpoint was written by a later version of this package."""


def rank_of(metrics: Any) -> tuple[float, int]:
    """The sort key of checkpoints: a higher score is better, and of equal ones the earlier.

    Args:
      metrics: of a checkpoint: the step, and the validation score under the name of the metric.
    """
    (score,) = (value for name, value in metrics.items() if name != "step")
    return float(score), -int(metrics["step"])


NAMED = 4  # work directories in a message


def folder(workdir: Path) -> Path:
    """The folder of the checkpoints."""
    return workdir.resolve() / "checkpoints"


def _what_to_do(workdir: Path) -> str:
    """The end of a message: the work directories of a study or a recipe, if it is their folder."""
    inside = sorted(found.parent for found in workdir.glob("**/checkpoints"))
    trained = [found for found in inside if found != workdir and saved_steps(found)]
    if not trained:
        return "train first (--mode=train)"
    more = f" and {len(trained) - NAMED} more" if len(trained) > NAMED else ""
    return f"there are work directories in it: {', '.join(map(str, trained[:NAMED]))}{more}"


def find_step(workdir: Path, which: str) -> int:
    """The step that `best`, `latest` or a number names.

    Raises:
      CheckpointError: there is no such checkpoint; the message lists the existing steps.
    """
    steps = saved_steps(workdir)
    if not steps:
        raise CheckpointError(f"{folder(workdir)} holds no checkpoint; {_what_to_do(workdir)}")
    if which == "latest":
        return steps[-1]
    if which == "best":
        if not has_best(workdir):
            raise CheckpointError(
                f"no checkpoint in {folder(workdir)} has a validation score; use latest"
            )
        return -max(rank for step in steps if (rank := saved_rank(workdir, step)))[1]
    if which not in map(str, steps):
        raise CheckpointError(
            f"--checkpoint={which}: must be best, latest or one of {', '.join(map(str, steps))}"
        )
    return int(which)


def find_steps(workdir: Path, which: str) -> list[int]:
    """The steps that `which` names: one as for `find_step`, `A-B` (both included), or `A-`.

    Raises:
      CheckpointError: there is no such checkpoint; the message lists the existing steps.
    """
    first, dash, last = which.partition("-")
    if not dash:
        return [find_step(workdir, which)]
    steps = saved_steps(workdir)
    chosen = []
    if _is_step(first) and (_is_step(last) or not last):
        chosen = [s for s in steps if int(first) <= s and (not last or s <= int(last))]
    if not chosen:
        raise CheckpointError(
            f"--checkpoint={which}: must be best, latest, a step, a range like 100-500, or 100- "
            f"for all from there on; there are {', '.join(map(str, steps)) or 'none'}"
        )
    return chosen


def _is_step(text: str) -> bool:
    """Whether it is a decimal number of a reasonable length."""
    return text.isdecimal() and len(text) < 19


def has_best(workdir: Path) -> bool:
    """Whether any checkpoint of a work directory has a validation score."""
    return any(saved_rank(workdir, step) for step in saved_steps(workdir))


def existing(workdir: Path, wanted: str) -> str:
    """What is wanted, "best" or "latest"; "latest" where no checkpoint has a validation score."""
    return wanted if wanted == "latest" or has_best(workdir) else "latest"


def saved_steps(workdir: Path) -> list[int]:
    """Steps of the complete checkpoints of a work directory, ascending."""
    if not folder(workdir).is_dir():
        return []
    return sorted(ocp.utils.checkpoint_steps(folder(workdir)))


def saved_rank(workdir: Path, step: int) -> tuple[float, int] | None:
    """The rank of a checkpoint; None if it was not evaluated.

    Raises:
      CheckpointError: it cannot be read.
    """
    file = folder(workdir) / str(step) / "metrics" / "metrics"
    if not file.is_file():
        return None
    try:
        return rank_of(json.loads(file.read_text()))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointError(f"{file} cannot be read; name a step instead") from error


def read_arrays(item: Path) -> Any:
    """The numpy arrays of an item of a checkpoint."""
    reader = ocp.PyTreeCheckpointHandler()
    kinds = jax.tree.map(
        lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray), reader.metadata(item).tree
    )
    return reader.restore(item, args=ocp.args.PyTreeRestore(restore_args=kinds))


def json_text(value: Mapping[str, Any] | None) -> str:
    """The text for the checksum of a JSON item."""
    return json.dumps(None if value is None else dict(value), sort_keys=True)
