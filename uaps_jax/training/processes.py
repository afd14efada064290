"""Runs with several processes, on one machine or on many.

All processes run the same command with the same data and the same work directory. The first one
writes the files there, except checkpoints and traces, which all processes write.
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
"""How long processes wait for each other: the first one may be building a dataset."""


def start(coordinator: str | None, count: int | None, index: int | None) -> None:
    """Connects to the other processes; must be called before any other use of JAX.

    Args:
      coordinator: `host:port` of the first process. None: coordinator, count and index are taken
        from the environment of the cluster (Slurm, Open MPI, Kubernetes, ...).
      count: number of processes.
      index: of this process, from 0.

    Raises:
      ConfigError: the connection fails.
    """
    if count is not None and index is not None and index >= count:
        raise ConfigError(f"--process={index} --processes={count}: must be 0 to {count - 1}")
    # Otherwise JAX catches SIGTERM and continues; here it must end the process.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(coordinator, count, index)
    except (ValueError, RuntimeError) as error:
        where = coordinator or "the environment of a cluster"
        raise ConfigError(f"the processes of {where} cannot be joined: {error}") from error


def is_first() -> bool:
    """Whether this process writes the files; a single process takes no device to know it."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def first_then_others(name: str, function: Callable[[], R]) -> R:
    """The result of `function`, called by the first process, then by the others."""
    if not is_first():
        wait(name)
    result = function()
    if is_first():
        wait(name)
    return result


def wait(name: str) -> None:
    """Waits until all processes have called it with this name; a name is used once."""
    if jax.process_count() > 1:
        everyone = set(range(jax.process_count()))
        ocp.multihost.sync_global_processes(name, timeout=PATIENCE_S, processes=everyone)


def check_same(what: str, digest: str) -> None:
    """Checks that all processes have the same digest.

    Args:
      what: for the message.
      digest: hexadecimal, 16 digits or more.

    Raises:
      ConfigError: the digests differ.
    """
    if jax.process_count() == 1:
        return
    mine = np.array([int(digest[:8], 16), int(digest[8:16], 16)], np.uint32)
    if len(np.unique(multihost_utils.process_allgather(mine), axis=0)) > 1:
        raise ConfigError(f"the processes do not see the same of {what}")


def exit_process(message: str, *, at_once: bool = False) -> NoReturn:
    """Ends the process with exit status 1.

    Without cleanup if `at_once`, because threads of libraries may log the same error again, or if
    there are several processes, because cleanup would wait for the others.
    """
    if at_once or (jax.distributed.is_initialized() and jax.process_count() > 1):
        try:
            print(message, file=sys.stderr, flush=True)
        finally:  # stderr may be a file on the full disk
            os._exit(1)
    sys.exit(message)
