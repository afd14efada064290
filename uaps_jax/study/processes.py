"""Runs commands, each as a process, some at a time, each on a share of the machine.

The failure of one does not affect the others.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import logging

from uaps_jax import child_process

SHOWN_EVERY_S = 30  # seconds between lines about the running processes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A command.

    Attributes:
      name: in messages.
      command: with its arguments.
      folder: of its output.
    """

    name: str
    command: Sequence[str]
    folder: Path


def run_jobs(
    jobs: Sequence[Job],
    *,
    workers: int,
    per_gpu: int,
    compiled: Path,
    finish: Callable[[int, str], str],
    show: Callable[[Sequence[int]], None],
) -> None:
    """Runs commands in their order; returns when all have ended.

    Args:
      jobs: the commands.
      workers: number of processes at a time, each on its share of the cores.
      per_gpu: of these, the largest number on one GPU, if there are GPUs. Processes that share a
        GPU take memory as they need it, in place of three quarters of it at their start.
      compiled: folder of the compiled programs, unless the environment names one.
      finish: called after each, by one thread at a time, with the index of the job and the reason
        of its failure, "" after success; returns the reason that is logged.
      show: called every `SHOWN_EVERY_S` seconds with the indices of the running jobs.

    Raises:
      Stopped: by a signal; what ran has been terminated.
    """
    devices = _devices(workers, per_gpu)
    workers = len(devices)
    cores = shares_of_cores(workers)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(jobs)):
        waiting.put(index)
    lock, started, stopped = threading.Lock(), time.perf_counter(), threading.Event()
    running: child_process.Running = {}
    current: dict[int, int] = {}
    ended = itertools.count(1)

    def work(worker: int) -> None:
        while not stopped.is_set():
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                current.pop(worker, None)
                return
            job = jobs[index]
            current[worker] = index
            logging.info("training %s", job.name)
            try:
                environment = {"JAX_COMPILATION_CACHE_DIR": str(compiled)}
                environment |= os.environ | devices[worker]
                reason = child_process.run(
                    job.command, job.folder, environment, running, worker, cores[worker]
                ).reason
            except OSError as error:
                reason = str(error)
            if stopped.is_set():
                return
            with lock:
                reason = finish(index, reason)
                done = next(ended)
                left = (time.perf_counter() - started) / done * (len(jobs) - done) / 60
                text = "%d of %d, %s: %s; about %.0f minutes left"
                logging.info(text, done, len(jobs), job.name, reason or "finished", left)

    threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in range(workers)]
    with child_process.terminated_on_signal(stopped, running):
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(SHOWN_EVERY_S)
                if thread.is_alive():
                    show(list(current.values()))


def _devices(workers: int, per_gpu: int) -> list[dict[str, str]]:
    """Environment variables of each worker, which select its GPU if there are any.

    There are no more than `per_gpu` workers on a GPU.
    """
    if workers == 1 or shutil.which("nvidia-smi") is None:
        return [{}] * workers
    names = _gpus()
    if not names:
        return [{}] * workers
    places = names * per_gpu
    if workers > len(places):
        text = "workers = %d: %d trainings run at a time, per_gpu = %d on each of %d GPUs"
        logging.info(text, workers, len(places), per_gpu, len(names))
    places = places[:workers]
    return [_variables(name, is_shared=places.count(name) > 1) for name in places]


def _variables(gpu: str, *, is_shared: bool) -> dict[str, str]:
    memory = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if is_shared else {}
    return {"CUDA_VISIBLE_DEVICES": gpu, **memory}


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
