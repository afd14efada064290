"""How glibc allocates the memory of this process."""

from __future__ import annotations

import os
import sys

KEPT_BYTES = 8 * 2**30
"""Freed memory up to this size stays with the process."""

TUNABLES = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "hugetlb": 1,  # huge pages
        "mmap_threshold": KEPT_BYTES,
        "trim_threshold": KEPT_BYTES,
        "arena_max": 1,  # others than the first have at most 64 MiB
    }.items()
)
"""glibc's settings, https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html."""

STARTED = "UAPS_JAX_STARTED"


def restart_process_with_tunables() -> None:
    """On Linux, replaces this process by the same command with `TUNABLES` in its environment.

    XLA's programs for CPUs allocate their temporary arrays at every step and free them after it.
    Without these settings glibc returns them to the system, which fills them with zeros page by
    page when they are written to again: up to a third of the processor time of a step. glibc reads
    the settings only when a process starts, so this has to be called before any computation. A
    `GLIBC_TUNABLES` of the user is left as it is; nothing is done if `UAPS_JAX_STARTED` is in the
    environment.
    """
    if sys.platform != "linux" or STARTED in os.environ:
        return
    os.environ[STARTED] = "1"
    os.environ.setdefault("GLIBC_TUNABLES", TUNABLES)
    os.execv(sys.executable, sys.orig_argv)
