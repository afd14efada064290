"""The decisions of a run, one for each checkpoint and predictor.

They are in `decisions/step_<N>_<predictor>.json`. A file says for which variables its decision was
set, so that it is not used for another checkpoint of the same step.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from absl import logging

from uaps_jax import files
from uaps_jax.evaluation.decision import Decision
from uaps_jax.training import checkpoints

FOLDER = "decisions"
CHECKPOINT = "checkpoint"


def write(workdir: Path, step: int, predictor: str, decision: Decision) -> Path:
    """Writes the decision of a checkpoint; an earlier one is replaced."""
    file = _file(workdir, step, predictor)
    file.parent.mkdir(exist_ok=True)
    entries = {CHECKPOINT: checkpoints.fingerprint(workdir, step)} | dataclasses.asdict(decision)
    files.write_text(file, json.dumps(entries, indent=1) + "\n")
    return file


def remove(workdir: Path, step: int, predictor: str) -> None:
    """Removes the decision of a checkpoint, if there is one."""
    _file(workdir, step, predictor).unlink(missing_ok=True)


def read(workdir: Path, step: int, predictor: str) -> Decision | None:
    """The decision of a checkpoint and predictor; None if none was set.

    Raises:
      CheckpointError: its file cannot be read.
    """
    file = _file(workdir, step, predictor)
    try:
        entries = json.loads(file.read_text())
        of_checkpoint = entries.pop(CHECKPOINT)
        decision = Decision.from_json(json.dumps(entries))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise checkpoints.CheckpointError(
            f"{file} cannot be read: {error}; --mode=evaluate writes it again"
        ) from error
    if of_checkpoint != checkpoints.fingerprint(workdir, step):
        logging.warning(
            "%s was set for another checkpoint of step %d and is not used; --mode=evaluate sets it",
            file,
            step,
        )
        return None
    return decision


def _file(workdir: Path, step: int, predictor: str) -> Path:
    return workdir / FOLDER / f"step_{step}_{predictor}.json"
