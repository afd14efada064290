"""Several processes that train one run together, on one machine or on many.

Each runs the same command, and all have to see the same data and the same work directory. The
first one writes the files there but for checkpoints and traces, which all write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from uaps_jax.config import ConfigError

R = TypeVar("R")

PATIENCE_S = 24 * 3600
"""How long processes wait for each other: one of them may be building a dataset."""


def start(coordinator: str | None, count: int | None, index: int | None) -> None:
    """Joins the other processes; has to come before anything else of JAX.

    Args:
      coordinator: `host:port` of the first process. None: it, the count and the index are taken
        from the environment of the cluster (Slurm, Open MPI, Kubernetes, ...).
      count: number of processes.
      index: which of them this is, from 0.

    Raises:
      ConfigError: they cannot be joined.
    """
    if count is not None and index is not None and index >= count:
        raise ConfigError(f"--process={index} --processes={count}: must be 0 to {count - 1}")
    # JAX would note SIGTERM and go on; here it ends a process, as it does anywhere else.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(coordinator, count, index)
    except (ValueError, RuntimeError) as error:
        where = coordinator or "the environment of a cluster"
        raise ConfigError(f"the processes of {where} cannot be joined: {error}") from error


def is_first() -> bool:
    """Whether this process writes the files."""
    return jax.process_index() == 0


def first_then_others(name: str, function: Callable[[], R]) -> R:
    """What `function` gives, called by the first process, and by the others when it is done."""
    if not is_first():
        wait(name)
    found = function()
    if is_first():
        wait(name)
    return found


def wait(name: str) -> None:
    """Returns when all processes are at this place; a name is used once."""
    if jax.process_count() > 1:
        everyone = set(range(jax.process_count()))
        ocp.multihost.sync_global_processes(name, timeout=PATIENCE_S, processes=everyone)


def check_same(what: str, digest: str) -> None:
    """Checks that all processes have the same of something.

    Args:
      what: for the message.
      digest: hexadecimal, 16 digits or more.

    Raises:
      ConfigError: they have not.
    """
    if jax.process_count() == 1:
        return
    mine = np.array([int(digest[:8], 16), int(digest[8:16], 16)], np.uint32)
    if len(np.unique(multihost_utils.process_allgather(mine), axis=0)) > 1:
        raise ConfigError(f"the processes do not see the same of {what}")


def leave(message: str, *, at_once: bool = False) -> NoReturn:
    """Ends the process as failed.

    Of several processes, at once, for they come to no common end any more; also where threads of
    libraries would go on to complain of what the message says.
    """
    if at_once or jax.process_count() > 1:
        try:
            print(message, file=sys.stderr, flush=True)
        finally:  # its file may be on the disk that is full
            os._exit(1)
    sys.exit(message)
