"""Huge pages for the memory of this process."""

from __future__ import annotations

import os
import sys

SETTING = "glibc.malloc.hugetlb=1"
STARTED = "UAPS_JAX_STARTED"


def restart_process_with_huge_pages() -> None:
    """On Linux, replaces this process by the same command with huge pages of glibc enabled.

    XLA's programs for CPUs allocate and free temporary arrays at every step, which takes a sixth
    less time with huge pages. glibc reads the setting only when a process starts, so this has to be
    called before any computation. Does nothing if `UAPS_JAX_STARTED` is in the environment.
    """
    if sys.platform != "linux" or STARTED in os.environ:
        return
    os.environ[STARTED] = "1"
    os.environ.setdefault("GLIBC_TUNABLES", SETTING)
    os.execv(sys.executable, sys.orig_argv)
