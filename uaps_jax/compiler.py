"""The compiler: its options for programs that run for long, and where their results are kept."""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import os
import platform
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
from absl import logging

CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_DOT"
}
"""Convolutions by Eigen rather than YNNPACK, which takes twice as long from 32 channels on."""


GPU_DETERMINISTIC = {"xla_gpu_deterministic_ops": True}
"""No atomic sums, and no choice of algorithms by their speed: the same bits in every run."""


def jit_for_long(
    function: Callable[..., Any], *, deterministic: bool = False, **arguments: Any
) -> Any:
    """`jax.jit(function, **arguments)` with the options that pay on this backend.

    With `deterministic`, a GPU gives the same bits in every run, and is slower for it; a CPU gives
    them anyway.
    """
    options: dict[str, str | bool] = dict(_options())
    if deterministic and jax.default_backend() == "gpu":
        options |= GPU_DETERMINISTIC
    return jax.jit(function, compiler_options=options or None, **arguments)


@functools.cache
def _options() -> tuple[tuple[str, str], ...]:
    """The options for this backend, none where this version of XLA does not know them."""
    if jax.default_backend() != "cpu":
        return ()
    try:
        jax.jit(lambda x: x, compiler_options=CPU_OPTIONS).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return ()
    return tuple(CPU_OPTIONS.items())


def keep_compiled() -> None:
    """Keeps compiled programs for the next process, unless `JAX_COMPILATION_CACHE_DIR` says where.

    They stay in the user's cache folder, apart for every kind of processor: a program that was
    compiled for one may not run on another. Nothing removes old ones: the folder may be deleted at
    any time.
    """
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # nobody's home
        return
    folder = cache / "uaps_jax" / f"compiled_{_processor()}"
    jax.config.update("jax_compilation_cache_dir", str(folder))


UNREADABLE = re.compile("Error reading persistent compilation cache entry for '(.+?)'")


@contextlib.contextmanager
def unreadable_cache_entries_removed() -> Iterator[None]:
    """Removes unreadable entries of the compile cache when JAX warns of them.

    JAX writes an entry in place, and leaves one that is there as it is: what a killed process has
    half written would be read, warned of, and compiled around in every run that follows. With it
    go the entries of other programs of that name, which are compiled again when they are needed.

    JAX tells of them by a warning alone: within this context, `warnings.showwarning` of the whole
    process is one that removes the entry and shows every other warning as before.
    """
    show = warnings.showwarning

    def remove_entry(message: Warning | str, *rest: Any, **named: Any) -> None:
        folder = jax.config.values["jax_compilation_cache_dir"]
        unreadable = UNREADABLE.match(str(message))
        if not unreadable or not folder:
            show(message, *rest, **named)
            return
        # Compiled anew in a moment, and kept then.
        with contextlib.suppress(OSError):  # a folder that others alone may change
            for entry in Path(folder).glob(f"{glob.escape(unreadable[1])}-*-cache"):
                entry.unlink(missing_ok=True)
        logging.info("an unreadable entry of the compile cache was removed: %s", unreadable[1])

    warnings.showwarning = remove_entry
    try:
        yield
    finally:
        warnings.showwarning = show


def _processor() -> str:
    """A short name of what programs of this processor may use."""
    about = Path("/proc/cpuinfo")
    text = platform.machine() + platform.processor()
    if about.is_file():
        lines = about.read_text().splitlines()
        text += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(text.encode()).hexdigest()[:12]
