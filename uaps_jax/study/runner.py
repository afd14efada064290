"""Runs the trainings of a study. Finished ones are skipped, interrupted ones are resumed.

Each training is a process with the command that a user would type, so that its failure does not
affect other trainings. Its output is in `log.txt` in its work directory.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging

from uaps_jax.study import outcome, progress
from uaps_jax.study.cells import Cell, flags
from uaps_jax.study.outcome import Outcome
from uaps_jax.training import results

LOG = "log.txt"
PARENT_VARIABLE = "UAPS_JAX_STUDY"  # environment variable of a training: process id of the study
PR_SET_PDEATHSIG = 1  # an option of Linux's prctl
SHOWN_EVERY_S = 30  # seconds between lines about the running trainings
SAVING_S = 60  # seconds that a training has to finish its step and save it


def run(
    cells: Mapping[Cell, str],
    directory: Path,
    *,
    workers: int,
    command: Sequence[str],
    on_finish: Callable[[Sequence[Outcome]], None],
) -> list[Outcome]:
    """Runs every training or recipe that has no result yet.

    Args:
      cells: training or recipe -> digest of its data (`training.results.digest`).
      directory: of the study.
      workers: number of trainings at a time, each on a GPU of its own if there are GPUs, and on
        its share of the cores; no more than there are GPUs.
      command: that starts a training, without flags: (python, its script).
      on_finish: called after each training, by one thread at a time, with all outcomes so far.

    Returns:
      The outcomes, in the order of `cells`: one of a training, one of each row of a recipe.
    """
    devices = _devices(workers)
    workers = len(devices)
    cores = shares_of_cores(workers)
    outcomes: dict[Cell, list[Outcome]] = {}
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell, data in cells.items():
        finished = outcome.finished(cell, directory, data)
        if finished is None:
            waiting.put(cell)
        else:
            outcomes[cell] = finished
    total = len(cells) - len(outcomes)
    logging.info("%d trainings: %d are finished, %d to run", len(cells), len(outcomes), total)
    lock, started, stopped = threading.Lock(), time.perf_counter(), threading.Event()
    running: dict[int, subprocess.Popen[bytes]] = {}
    current: dict[int, Cell] = {}

    def work(worker: int) -> None:
        while not stopped.is_set():
            try:
                cell = waiting.get_nowait()
            except queue.Empty:
                current.pop(worker, None)
                return
            current[worker] = cell
            logging.info("training %s", cell.folder)
            try:
                environment = {"JAX_COMPILATION_CACHE_DIR": str(directory / "compiled")}
                environment |= os.environ | devices[worker] | {PARENT_VARIABLE: str(os.getpid())}
                full = [*command, *flags(cell), f"--workdir={directory / cell.folder}"]
                reason = _train(
                    full, directory / cell.folder, environment, running, worker, cores[worker]
                )
                finished = outcome.finished(cell, directory, cells[cell])
                if finished is None and not reason:
                    reason = f"it ended without a {results.FILE} for its configuration and data"
            except OSError as error:
                finished, reason = None, str(error)
            if stopped.is_set():
                return
            with lock:
                if reason or finished is None:
                    finished = [outcome.failed(cell, reason)]
                outcomes[cell] = finished
                done = len(outcomes) - (len(cells) - total)
                left = (time.perf_counter() - started) / done * (total - done) / 60
                text = "%d of %d, %s: %s; about %.0f minutes left"
                logging.info(text, done, total, cell.folder, reason or "finished", left)
                try:
                    on_finish([one for c in cells for one in outcomes.get(c, ())])
                except Exception:  # the other trainings do not need the report
                    logging.exception("the report could not be written")

    threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in range(workers)]
    with _trainings_terminated_on_signal(stopped, running):
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(SHOWN_EVERY_S)
                if thread.is_alive():
                    _show(list(current.values()), directory)
    missing = "it has not been run"
    return [one for cell in cells for one in outcomes.get(cell, [outcome.failed(cell, missing)])]


def _show(running: Sequence[Cell], directory: Path) -> None:
    """Logs how far trainings are; they do not need it."""
    try:
        lines = [progress.line(cell, directory) for cell in running]
    except Exception:
        logging.exception("the progress could not be read")
        return
    if lines:
        logging.info("%s", "; ".join(lines))


def _train(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    running: dict[int, subprocess.Popen[bytes]],
    worker: int,
    cores: set[int],
) -> str:
    """Runs one training; returns the reason of its failure, "" after success."""
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
            start_new_session=True,  # Ctrl-C reaches the study only, which terminates them
        )
        if cores:
            with contextlib.suppress(OSError):  # it has ended, or may not choose: it runs on all
                os.sched_setaffinity(running[worker].pid, cores)
        status = running[worker].wait()
    if status == 0:
        return ""
    with (folder / LOG).open("rb") as log:
        log.seek(begin)
        lines = log.read().decode(errors="replace").strip().splitlines()
    errors = [n for n, line in enumerate(lines) if line.startswith("error:")]
    message = " ".join(line.strip() for line in (lines[errors[-1] :] if errors else lines[-1:]))
    return f"exit status {status}: {message[:500]} (complete log: {folder / LOG})"


def end_with_parent() -> None:
    """In a training of a study: makes Linux kill this process when the study is killed.

    The training sets this itself, because a study has threads, and code between fork and exec is
    unsafe in a process with threads.
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # the study has ended already
        sys.exit(128 + signal.SIGKILL)


def _devices(workers: int) -> list[dict[str, str]]:
    """Environment variables of each worker, which select a GPU of its own if there are any.

    There are no more workers than GPUs.
    """
    if workers == 1 or shutil.which("nvidia-smi") is None:
        return [{}] * workers
    names = _gpus()
    if not names:
        return [{}] * workers
    if workers > len(names):
        logging.info(
            "workers = %d: as many as there are GPUs run at a time, %d", workers, len(names)
        )
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names[:workers]]


def _gpus() -> list[str]:
    """The GPUs as `CUDA_VISIBLE_DEVICES` names them; of those that it names, if it is set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
        found = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
        return [] if listed.returncode else [str(number) for number in range(len(found))]
    names = [name.strip() for name in visible.split(",")]
    return [*itertools.takewhile(lambda name: name not in ("", "-1"), names)]


def shares_of_cores(workers: int) -> list[set[int]]:
    """The CPU cores of each worker; empty for all, as for one worker or where Linux is missing.

    On two cores, two trainings of one core each do 1.4 times the steps of one that has both.
    """
    if workers == 1 or not hasattr(os, "sched_getaffinity"):
        return [set()] * workers
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < workers:
        return [set()] * workers
    return [set(cores[worker::workers]) for worker in range(workers)]


@contextlib.contextmanager
def _trainings_terminated_on_signal(
    stopped: threading.Event, running: Mapping[int, subprocess.Popen[bytes]]
) -> Iterator[None]:
    """Within this context, SIGTERM and SIGINT terminate the trainings and then this process.

    The trainings have `SAVING_S` seconds to save; a second signal ends this process at once.
    """

    def end(number: int, frame: Any) -> None:
        for known, handler in before.items():
            signal.signal(known, handler)
        stopped.set()
        children = [child for child in list(running.values()) if child.poll() is None]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + SAVING_S
        while any(child.poll() is None for child in children) and time.monotonic() < deadline:
            time.sleep(0.1)
        sys.exit(128 + number)

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
