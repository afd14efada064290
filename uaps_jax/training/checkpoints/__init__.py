"""Checkpoints: the latest and the best together, and evaluation from one alone.

A checkpoint carries checksums of all that is in it. A damaged one, on a bad disk or cut short, is
found before it is used: a run goes on from the one before.
"""

from uaps_jax.training.checkpoints.files import (
    SELECTION,
    CheckpointError,
    NewerFormatError,
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
from uaps_jax.training.checkpoints.verify import set_damaged_aside, verify

__all__ = [
    "FORMAT",
    "SELECTION",
    "CheckpointError",
    "NewerFormatError",
    "best_score",
    "find_step",
    "find_steps",
    "folder",
    "has_best",
    "is_due",
    "manager",
    "read_arrays",
    "read_config",
    "read_record",
    "restore_state",
    "restore_variables",
    "save",
    "saved_steps",
    "set_damaged_aside",
    "verify",
]
