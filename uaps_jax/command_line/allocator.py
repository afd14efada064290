"""How glibc allocates the memory of this process."""

from __future__ import annotations

import os
import sys

OLDEST = (2, 35)
"""The first glibc that knows the setting."""

TUNABLES = "glibc.malloc.hugetlb=1"
"""Huge pages."""

VARIABLE = "GLIBC_TUNABLES"
"""The environment variable of these settings."""


def restart_process_with_tunables() -> None:
    """With glibc 2.35 or later, replaces this process by the same command with `TUNABLES`.

    XLA's programs for CPUs allocate and free temporary arrays at every step, which takes a sixth
    less time with huge pages.

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
