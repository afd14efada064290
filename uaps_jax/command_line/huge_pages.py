"""Memory in huge pages, which a process can only be started with."""

from __future__ import annotations

import os
import sys

SETTING = "glibc.malloc.hugetlb=1"
STARTED = "UAPS_JAX_STARTED"


def restart_process_with_huge_pages() -> None:
    """On Linux, replaces this process by the same command with glibc's huge pages switched on.

    XLA's CPU programs run a sixth faster on them: a step's temporary arrays are taken and given
    back at every step. glibc reads the setting once, when a process starts. Has to come before
    anything is computed. With `UAPS_JAX_STARTED` in the environment, it does nothing.
    """
    if sys.platform != "linux" or STARTED in os.environ:
        return
    os.environ[STARTED] = "1"
    os.environ.setdefault("GLIBC_TUNABLES", SETTING)
    os.execv(sys.executable, sys.orig_argv)
