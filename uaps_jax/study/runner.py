"""Runs the trainings of a study: what is done is skipped, what was interrupted goes on.

Every training is a process of its own, the command that a person would type, so that none can
take another down with it. What it prints goes to `log.txt` in its work directory.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
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

from uaps_jax.study.grid import Cell, flags
from uaps_jax.training import results, workdir

LOG = "log.txt"
PR_SET_PDEATHSIG = 1  # of Linux's prctl


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one training: its result, or why there is none."""

    cell: Cell
    result: Mapping[str, Any] | None
    reason: str


def run(
    cells: Sequence[Cell],
    directory: Path,
    *,
    workers: int,
    command: Sequence[str],
    finished: Callable[[Sequence[Outcome]], None],
) -> list[Outcome]:
    """Runs every training that has no result yet.

    Args:
      cells: the trainings.
      directory: of the study.
      workers: trainings at once; each worker has a GPU of its own where there are several.
      command: what starts a training, its flags apart: (python, run.py).
      finished: called after each training, by one thread at a time, with all outcomes so far.

    Returns:
      An outcome for every cell, in their order.
    """
    outcomes: dict[Path, Outcome] = {}
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in cells:
        result = results.read(directory / cell.folder, cell.config)
        if result is None:
            waiting.put(cell)
        else:
            outcomes[cell.folder] = Outcome(cell=cell, result=result, reason="")
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
            reason = _train(cell, directory, command, _device(worker, workers), running, worker)
            if stopped.is_set():
                return
            result = results.read(directory / cell.folder, cell.config) if not reason else None
            with lock:
                outcomes[cell.folder] = Outcome(cell=cell, result=result, reason=reason)
                done = len(outcomes) - (len(cells) - total)
                left = (time.perf_counter() - started) / done * (total - done)
                logging.info(
                    "%d of %d, %s: %s; about %.0f minutes left",
                    done,
                    total,
                    cell.folder,
                    reason or "done",
                    left / 60,
                )
                finished([outcomes[c.folder] for c in cells if c.folder in outcomes])

    threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in range(workers)]
    with _children_end_with_us(stopped, running):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [outcomes[cell.folder] for cell in cells]


def _train(
    cell: Cell,
    directory: Path,
    command: Sequence[str],
    device: dict[str, str],
    running: dict[int, subprocess.Popen[bytes]],
    worker: int,
) -> str:
    """Runs one training and returns why it has no result, "" if it has one."""
    folder = directory / cell.folder
    folder.mkdir(parents=True, exist_ok=True)
    full = [*command, *flags(cell), f"--workdir={folder}"]
    with (folder / LOG).open("ab") as log:
        log.write(f"$ {shlex.join(full)}\n".encode())
        log.flush()
        running[worker] = subprocess.Popen(
            full,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent,
            env={"JAX_COMPILATION_CACHE_DIR": str(directory / "compiled")} | os.environ | device,
        )
        status = running[worker].wait()
    if status == 0 and results.read(folder, cell.config) is not None:
        return ""
    lines = (folder / LOG).read_text(errors="replace").strip().splitlines()
    said = [line for line in lines if line.startswith("error:")] or lines[-1:]
    return f"exit status {status}: {said[-1][:300]} (all of it in {folder / LOG})"


def _end_with_parent() -> None:
    """In a training about to start: Linux ends it when the study is killed, so that no two of them
    ever write into one folder."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _device(worker: int, workers: int) -> dict[str, str]:
    """The environment that gives a worker a GPU of its own, if there are several workers."""
    if workers == 1 or shutil.which("nvidia-smi") is None:
        return {}
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = listed.split(",") if listed else [str(n) for n in range(workers)]
    return {"CUDA_VISIBLE_DEVICES": names[worker % len(names)]}


@contextlib.contextmanager
def _children_end_with_us(
    stopped: threading.Event, running: Mapping[int, subprocess.Popen[bytes]]
) -> Any:
    """Ends the trainings when this process is told to end; they go on from their checkpoints."""

    def end(number: int, frame: Any) -> None:
        stopped.set()
        for child in running.values():
            if child.poll() is None:
                child.terminate()
        sys.exit(128 + number)

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def rows(outcomes: Sequence[Outcome], checkpoint: str) -> list[dict[str, Any]]:
    """One record per finished training: where it stands, and its scores at a checkpoint."""
    found = []
    for outcome in outcomes:
        if outcome.result is None:
            continue
        cell = outcome.cell
        found.append(
            {
                "entry": cell.entry,
                **outcome.result["scores"][checkpoint],
                "dataset": cell.dataset,
                "ratio": cell.ratio,
                "seed": cell.seed,
                "checkpoint": checkpoint,
                "steps": cell.config.train.steps,
                "batch_labeled": cell.config.train.batch_labeled,
                "height": cell.config.data.height,
                "width": cell.config.data.width,
                "dtype": cell.config.model.dtype,
                "parameters": outcome.result["parameters"],
            }
        )
    return found


def write_rows(outcomes: Sequence[Outcome], file: Path) -> None:
    """Writes the records of both checkpoints as JSON lines."""
    lines = [
        json.dumps(row) + "\n" for which in ("latest", "best") for row in rows(outcomes, which)
    ]
    workdir.write_text(file, "".join(lines))
