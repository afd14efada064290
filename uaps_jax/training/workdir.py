"""The files of a run except its checkpoints and metrics."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from uaps_jax import config as config_lib
from uaps_jax import files
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import protocols
from uaps_jax.training import checkpoints, processes

MACHINE = (
    "data.data_dir",
    "data.manual_dir",
    "data.targets.folders",
    "data.targets.names",
    "data.resident_mib",
    "data.stream_threads",
)
"""Settings of the machine: they may change when a run is resumed, as long as its data do not."""

COPIES = "data.labeled_group_copies"
"""A setting without effect unless `data.protocol` is "grouped"."""

METRICS = "metrics.jsonl"

LOCK = ".lock"
"""The file of a work directory that the process locks which uses it."""


def ignored_settings(flat: Mapping[str, Any]) -> set[str]:
    """Keys of the settings on which no number of a run depends.

    Args:
      flat: the settings of the run, by their dotted keys.
    """
    return {*MACHINE, *(() if flat["data.protocol"] == "grouped" else (COPIES,))}


def warnings(workdir: Path) -> list[str]:
    """The warnings of a run, `step N, text`."""
    lines = (workdir / METRICS).read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [f"step {e['step']}, {e['warning']}" for e in entries if "warning" in e]


def write_split(workdir: Path, record: Mapping[str, Any]) -> None:
    """Writes `split.json`, the data record of a run, which protocol "file" can read.

    Raises:
      ConfigError: the directory cannot be made, or contains a run on other data.
    """
    _make(workdir)
    steps = checkpoints.saved_steps(workdir)
    if steps:
        old = checkpoints.read_record(workdir, steps[-1])
        if changed := protocols.record_differences(old, record):
            raise ConfigError(
                f"{workdir} holds a run on other data:\n"
                + "\n".join(f"  {line}" for line in changed)
                + "\nUse another --workdir, or the data that it was started with."
            )
    files.write_text(workdir / "split.json", json.dumps(record, indent=1) + "\n")


def write_report(file: Path, text: str) -> None:
    """Writes a text file into a work directory, which is made if it does not exist."""
    _make(file.parent)
    files.write_text(file, text)


def _make(workdir: Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--workdir={workdir}: {error.strerror}") from error


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Locks a work directory for this run; the lock ends with the process in any case.

    Of several processes of a run, the first one holds the lock.

    Raises:
      ConfigError: another process holds the lock, or the directory cannot be made.
    """
    if not processes.is_first():
        yield
        return
    _make(workdir)
    with _opened(workdir / LOCK) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{workdir} is in use by another process; wait for it, or use another --workdir"
            ) from None
        yield


def _opened(lock: Path) -> TextIO:
    try:
        return lock.open("w")
    except OSError as error:
        raise ConfigError(f"{lock.parent} cannot be written: {error.strerror}") from error


def claim(workdir: Path, config: Config, record: Mapping[str, Any]) -> None:
    """Writes configuration and split into a work directory, or checks that they are the same.

    Files in a directory without a checkpoint are overwritten.

    Args:
      workdir: the directory.
      config: of the run.
      record: of its data (`data.protocols.record`).

    Raises:
      ConfigError: it contains a run with another configuration or other images; the message lists
        the differences.
    """
    _make(workdir)
    flat = config_lib.flatten(config)
    steps = checkpoints.saved_steps(workdir)
    if steps:
        old = config_lib.flatten(checkpoints.read_config(workdir, steps[-1]))
        ignored = ignored_settings(old) & ignored_settings(flat)
        changed = [d for d in config_lib.differences(old, flat) if d.key not in ignored]
        if changed:
            raise ConfigError(
                f"{workdir} holds a run with another configuration:\n"
                + "\n".join(f"  {config_lib.describe(d)}" for d in changed)
                + "\nUse another --workdir, or the configuration it was started with"
                + _flags_of_old(changed)
            )
    write_split(workdir, record)
    files.write_text(workdir / "config.json", config_lib.to_json(config))


def _flags_of_old(changed: Sequence[config_lib.Difference]) -> str:
    """The end of a message: flags that set the changed settings to their old values, if few."""
    simple = all(isinstance(d.old, str | int | float | list) for d in changed)
    if not simple or len(changed) > 4 or any(d.key == "method.name" for d in changed):
        return "."
    old = ((d.key, tuple(d.old) if isinstance(d.old, list) else d.old) for d in changed)
    flags = (shlex.quote(f"--config.{key}={value}") for key, value in old)
    return f": add {' '.join(flags)}"


def finite_or_none(value: Any) -> float | None:
    """The value as a float, or None for NaN and infinity, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def append_jsonl(path: Path, entry: dict[str, Any]) -> None:
    """Adds a line to a file of JSON lines, unless the file has this line."""
    clean = {k: finite_or_none(v) if isinstance(v, float) else v for k, v in entry.items()}
    line = json.dumps(clean) + "\n"
    written = path.read_text() if path.exists() else ""
    if line not in written.splitlines(keepends=True):
        files.write_text(path, written + line)
