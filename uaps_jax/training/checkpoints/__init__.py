"""Checkpoints of a run, with checksums: a damaged one is detected before it is used, and the run
resumes from an earlier one."""

from uaps_jax.training.checkpoints.files import (
    CheckpointError,
    NewerFormatError,
    existing,
    find_step,
    find_steps,
    folder,
    has_best,
    read_arrays,
    saved_steps,
)
from uaps_jax.training.checkpoints.formats import FORMAT
from uaps_jax.training.checkpoints.manage import best_score, is_due, manager, save
from uaps_jax.training.checkpoints.restore import (
    read_config,
    read_record,
    restore_state,
    restore_variables,
)
from uaps_jax.training.checkpoints.verify import fingerprint, move_damaged, verify

__all__ = [
    "FORMAT",
    "CheckpointError",
    "NewerFormatError",
    "best_score",
    "existing",
    "find_step",
    "find_steps",
    "fingerprint",
    "folder",
    "has_best",
    "is_due",
    "manager",
    "move_damaged",
    "read_arrays",
    "read_config",
    "read_record",
    "restore_state",
    "restore_variables",
    "save",
    "saved_steps",
    "verify",
]
