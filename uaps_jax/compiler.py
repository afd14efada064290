"""Compiler options and the compile cache."""

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
"""Convolutions use Eigen; YNNPACK takes twice as long with 32 channels or more."""


GPU_DETERMINISTIC = {"xla_gpu_deterministic_ops": True}
"""No atomic sums and no algorithms chosen by timing, so that runs are bit-identical."""


def jit_optimized(
    function: Callable[..., Any], *, deterministic: bool = False, **arguments: Any
) -> Any:
    """`jax.jit(function, **arguments)` with the compiler options for this backend.

    With `deterministic`, runs on a GPU are bit-identical, but slower; on a CPU they always are.
    """
    options: dict[str, str | bool] = dict(_options())
    if deterministic and jax.default_backend() == "gpu":
        options |= GPU_DETERMINISTIC
    return jax.jit(function, compiler_options=options or None, **arguments)


@functools.cache
def _options() -> tuple[tuple[str, str], ...]:
    """The options for this backend; none if this version of XLA rejects them."""
    if jax.default_backend() != "cpu":
        return ()
    try:
        jax.jit(lambda x: x, compiler_options=CPU_OPTIONS).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return ()
    return tuple(CPU_OPTIONS.items())


def enable_compile_cache() -> None:
    """Stores compiled programs in the user's cache folder, if `JAX_COMPILATION_CACHE_DIR` is unset.

    There is one folder per kind of processor: a program compiled for one may not run on another.
    Old entries are never removed; the folder may be deleted at any time.
    """
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # the user has no home folder
        return
    folder = cache / "uaps_jax" / f"compiled_{_processor()}"
    jax.config.update("jax_compilation_cache_dir", str(folder))


UNREADABLE = re.compile("Error reading persistent compilation cache entry for '(.+?)'")


@contextlib.contextmanager
def unreadable_cache_entries_removed() -> Iterator[None]:
    """Removes unreadable entries of the compile cache when JAX warns of them.

    JAX writes an entry in place and never replaces one: an entry that a killed process wrote in
    part would cause a warning and a compilation in every later run. The entries of other programs
    with the same name are removed too; they are compiled again when needed.

    JAX reports unreadable entries only by a warning, so within this context
    `warnings.showwarning` of the process is replaced; other warnings are shown as before.
    """
    show = warnings.showwarning

    def remove_entry(message: Warning | str, *rest: Any, **named: Any) -> None:
        folder = jax.config.values["jax_compilation_cache_dir"]
        unreadable = UNREADABLE.match(str(message))
        if not unreadable or not folder:
            show(message, *rest, **named)
            return
        # JAX compiles the program next and stores it.
        with contextlib.suppress(OSError):  # a read-only folder
            for entry in Path(folder).glob(f"{glob.escape(unreadable[1])}-*-cache"):
                entry.unlink(missing_ok=True)
        logging.info("an unreadable entry of the compile cache was removed: %s", unreadable[1])

    warnings.showwarning = remove_entry
    try:
        yield
    finally:
        warnings.showwarning = show


def _processor() -> str:
    """A digest of this processor's features."""
    about = Path("/proc/cpuinfo")
    text = platform.machine() + platform.processor()
    if about.is_file():
        lines = about.read_text().splitlines()
        text += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(text.encode()).hexdigest()[:12]
