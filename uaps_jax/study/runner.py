"""Runs the trainings of a study: what is done is skipped, what was interrupted goes on.

Every training is a process of its own, the command that a person would type, so that none can
take another down with it. What it prints goes to `log.txt` in its work directory.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging

from uaps_jax.config import ConfigError
from uaps_jax.study.grid import Cell, flags
from uaps_jax.training import results

LOG = "log.txt"
PARENT = "UAPS_JAX_STUDY"  # in the environment of a training: the study's process
PR_SET_PDEATHSIG = 1  # of Linux's prctl
GRACE_S = 60  # for a training to finish its step and save it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one training: its result, or why there is none."""

    cell: Cell
    result: Mapping[str, Any] | None
    reason: str


def run(
    cells: Mapping[Cell, str],
    directory: Path,
    *,
    workers: int,
    command: Sequence[str],
    finished: Callable[[Sequence[Outcome]], None],
) -> list[Outcome]:
    """Runs every training that has no result yet.

    Args:
      cells: the trainings, and of each the digest of its data (`training.results.digest`).
      directory: of the study.
      workers: trainings at once; each worker has a GPU of its own where there are several.
      command: what starts a training, its flags apart: (python, its script).
      finished: called after each training, by one thread at a time, with all outcomes so far.

    Returns:
      An outcome for every cell, in their order.
    """
    devices = _devices(workers)
    outcomes: dict[Cell, Outcome] = {}
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell, data in cells.items():
        result = results.read(directory / cell.folder, cell.config, data)
        if result is None:
            waiting.put(cell)
        else:
            outcomes[cell] = Outcome(cell=cell, result=result, reason="")
    total = len(cells) - len(outcomes)
    logging.info("%d trainings: %d are done, %d to run", len(cells), len(outcomes), total)
    lock, started, stopped = threading.Lock(), time.perf_counter(), threading.Event()
    running: dict[int, subprocess.Popen[bytes]] = {}

    def work(worker: int) -> None:
        while not stopped.is_set():
            try:
                cell = waiting.get_nowait()
            except queue.Empty:
                return
            logging.info("training %s", cell.folder)
            try:
                environment = {"JAX_COMPILATION_CACHE_DIR": str(directory / "compiled")}
                environment |= os.environ | devices[worker] | {PARENT: str(os.getpid())}
                full = [*command, *flags(cell), f"--workdir={directory / cell.folder}"]
                reason = _train(full, directory / cell.folder, environment, running, worker)
                result = results.read(directory / cell.folder, cell.config, cells[cell])
                if result is None and not reason:
                    reason = f"it wrote no {results.FILE} of this configuration and these data"
            except OSError as error:
                result, reason = None, str(error)
            if stopped.is_set():
                return
            with lock:
                outcomes[cell] = Outcome(
                    cell=cell, result=None if reason else result, reason=reason
                )
                done = len(outcomes) - (len(cells) - total)
                left = (time.perf_counter() - started) / done * (total - done) / 60
                text = "%d of %d, %s: %s; about %.0f minutes left"
                logging.info(text, done, total, cell.folder, reason or "done", left)
                try:
                    finished([outcomes[c] for c in cells if c in outcomes])
                except Exception:  # a report that cannot be written is no reason to stop
                    logging.exception("the report could not be written")

    threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in range(workers)]
    with _children_end_with_us(stopped, running):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    missing = "it was not run"
    return [outcomes.get(cell, Outcome(cell=cell, result=None, reason=missing)) for cell in cells]


def _train(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    running: dict[int, subprocess.Popen[bytes]],
    worker: int,
) -> str:
    """Runs one training and returns why it failed, "" if it did not."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as log:
        log.write(f"$ {shlex.join(command)}\n".encode())
        log.flush()
        begin = log.tell()
        running[worker] = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the study, which tells its trainings
        )
        status = running[worker].wait()
    if status == 0:
        return ""
    with (folder / LOG).open("rb") as log:
        log.seek(begin)
        lines = log.read().decode(errors="replace").strip().splitlines()
    errors = [n for n, line in enumerate(lines) if line.startswith("error:")]
    said = " ".join(line.strip() for line in (lines[errors[-1] :] if errors else lines[-1:]))
    return f"exit status {status}: {said[:500]} (all of it in {folder / LOG})"


def end_with_parent() -> None:
    """In a training that a study started: has Linux end it when the study is killed.

    The training does so itself; code between fork and exec would be unsafe in a study, which has
    threads.
    """
    parent = os.environ.get(PARENT)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it was killed before
        sys.exit(128 + signal.SIGKILL)


def _devices(workers: int) -> list[dict[str, str]]:
    """The environment that gives each of several workers a GPU of its own.

    Raises:
      ConfigError: there are GPUs, but fewer than workers.
    """
    if workers == 1 or shutil.which("nvidia-smi") is None:
        return [{}] * workers
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
        names = [str(n) for n in range(len(listed.stdout.splitlines()))]
    else:
        names = [name for name in visible.split(",") if name]
    if not names:
        return [{}] * workers
    if workers > len(names):
        raise ConfigError(f"workers = {workers}: there are {len(names)} GPUs; each takes one")
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names[:workers]]


@contextlib.contextmanager
def _children_end_with_us(
    stopped: threading.Event, running: Mapping[int, subprocess.Popen[bytes]]
) -> Any:
    """Ends the trainings when this process is told to end, after they have saved.

    They have `GRACE_S` seconds for it; a second signal ends everything at once.
    """

    def end(number: int, frame: Any) -> None:
        for known, handler in before.items():
            signal.signal(known, handler)
        stopped.set()
        children = [child for child in list(running.values()) if child.poll() is None]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + GRACE_S
        while any(child.poll() is None for child in children) and time.monotonic() < deadline:
            time.sleep(0.1)
        sys.exit(128 + number)

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
