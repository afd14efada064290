"""How glibc allocates the memory of this process."""

from __future__ import annotations

import os
import sys

LARGEST_KEPT = 8 * 2**30
"""Bytes of the largest array whose memory stays with the process."""

OLDEST = (2, 35)
"""The first glibc with these settings: older ones refuse the thresholds or know no huge pages."""

TUNABLES = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "hugetlb": 1,  # huge pages
        "mmap_threshold": LARGEST_KEPT,
        "trim_threshold": LARGEST_KEPT,
        "arena_max": 1,  # of all threads: another one has no place for an array of 64 MiB
        # No small blocks are set aside: until glibc 2.38 pieces of a freed array would be among
        # them, and the next array would not fit in its place.
        "tcache_count": 0,
        "mxfast": 0,
    }.items()
)
"""glibc's settings: https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html."""

VARIABLE = "GLIBC_TUNABLES"
"""The environment variable of these settings."""


def restart_process_with_tunables() -> None:
    """With glibc 2.35 or later, replaces this process by the same command with `TUNABLES`.

    XLA's programs for CPUs allocate their temporary arrays at every step and free them after it.
    Without these settings glibc returns them to the system, which fills them with zeros when they
    are written to again: a seventh to a quarter of the processor time of a step. With them the
    process keeps about its largest memory until it ends.

    glibc reads its settings only when a process starts, so this has to be called before any
    computation. Nothing is done if `GLIBC_TUNABLES`, or a variable `MALLOC_...`, is in the
    environment, be it empty.
    """
    is_set = VARIABLE in os.environ or any(name.startswith("MALLOC_") for name in os.environ)
    if is_set or glibc() < OLDEST:
        return
    os.environ[VARIABLE] = TUNABLES
    os.execv(sys.executable, sys.orig_argv)


def glibc() -> tuple[int, ...]:
    """The version of glibc; () where there is another C library."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError):
        return ()
    return tuple(map(int, version.split("."))) if name == "glibc" else ()
