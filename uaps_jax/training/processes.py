"""Several processes that train one run together, on one machine or on many.

Each runs the same command. The first one writes the files of the work directory, which all have to
see, as they have to see the data.
"""

from __future__ import annotations

import jax
from jax.experimental import multihost_utils


def start(coordinator: str | None, count: int | None, index: int | None) -> None:
    """Joins the other processes; has to come before anything else of JAX.

    Args:
      coordinator: `host:port` of the first process. None: it, the count and the index are taken
        from the environment of the cluster (Slurm, Open MPI, Kubernetes, ...).
      count: number of processes.
      index: which of them this is, from 0.
    """
    jax.distributed.initialize(coordinator, count, index)


def is_first() -> bool:
    """Whether this process writes the files."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Returns when all processes are at this place."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
