"""Runs a command as a process that ends with this one; its output is in `log.txt` in a folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from uaps_jax import stop_signals

LOG = "log.txt"
PARENT_VARIABLE = "UAPS_JAX_PARENT"  # environment variable of a process: id of the one that waits
PR_SET_PDEATHSIG = 1  # an option of Linux's prctl
SAVING_S = 60  # seconds that a process has to finish its step and save it
SHOWN_CHARACTERS = 500
ERROR, WAITING = "error: ", "waiting: "
"""Beginnings of the message with which the command line ends; it may have several lines."""
TRACEBACK = "Traceback (most recent call last)"

Running = dict[int, subprocess.Popen[bytes]]
"""Number of a worker -> the process that it runs, or has run last."""


class Stopped(SystemExit):
    """A signal stopped this process, which has terminated those that it ran.

    Attributes:
      number: of the signal.
      text: what was stopped, and how to go on.
    """

    def __init__(self, number: int, text: str) -> None:
        super().__init__(128 + number)
        self.number, self.text = number, text

    def __str__(self) -> str:
        return f"{signal.Signals(self.number).name}: {self.text}"


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
      status: its exit status; a negative one is the number of the signal that ended it.
      message: the last lines of its output.
      log: the file of its output.
    """

    status: int
    message: str
    log: Path

    @property
    def reason(self) -> str:
        """Why it failed, on one line that may be shortened; "" after success."""
        text = " ".join(self.message.split())
        return self._described(
            text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        )

    @property
    def whole_reason(self) -> str:
        """The same with the lines of its message."""
        return self._described(self.message)

    def _described(self, message: str) -> str:
        if self.status == 0:
            return ""
        how = f"exit status {self.status}"
        if self.status < 0:
            how = f"ended by signal {-self.status}, {signal.strsignal(-self.status)}"
        if -self.status == signal.SIGKILL:
            how += ", which the system sends, too, when memory runs out"
        return f"{how}: {message} (complete log: {self.log})"


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    running: Running,
    worker: int,
    cores: set[int],
) -> Ended:
    """Runs a command to its end.

    Args:
      command: with its arguments.
      folder: of its output.
      environment: its environment variables.
      running: where its process is noted.
      worker: under which number.
      cores: of the CPU, on which it runs; empty for those of this process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOG
    with file.open("ab") as log:
        log.write(f"$ {shlex.join(command)}\n".encode())
        log.flush()
        begin = log.tell()
        running[worker] = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment, PARENT_VARIABLE: str(os.getpid())},
            start_new_session=True,  # Ctrl-C reaches this process only, which terminates it
        )
        if cores:
            with contextlib.suppress(OSError):  # it has ended, or may not choose: it runs on all
                os.sched_setaffinity(running[worker].pid, cores)
        status = running[worker].wait()
    return Ended(status, _last_message(file, begin), file)


def _last_message(log: Path, begin: int) -> str:
    """The message with which the output after the first `begin` bytes ends, or its last line."""
    with log.open("rb") as opened:
        opened.seek(begin)
        lines = opened.read().decode(errors="replace").strip().splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith((ERROR, WAITING, TRACEBACK))]
    if not starts or lines[starts[-1]].startswith(TRACEBACK):
        return "\n".join(lines[-1:])
    return "\n".join(lines[starts[-1] :])


def end_with_parent() -> None:
    """In a process of `run`: makes Linux kill this process when the one that started it is killed.

    The process sets this itself, because that one may have threads, and code between fork and exec
    is unsafe in a process with threads.
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it has ended already
        sys.exit(128 + signal.SIGKILL)


@contextlib.contextmanager
def terminated_on_signal(stopped: threading.Event, running: Running) -> Iterator[None]:
    """Within this context, a stop signal terminates the processes and then this one.

    They have `SAVING_S` seconds to save, and are killed then. `stop_signals.caught` says what
    becomes of further signals.

    Args:
      stopped: is set before the processes are terminated.
      running: the processes.

    Raises:
      Stopped: in place of the signal.
    """

    def end(number: int) -> None:
        raise Stopped(number, "stopped; the same command goes on from there")

    with stop_signals.caught(end):
        try:
            yield
        except Stopped:
            stopped.set()
            children = [child for child in list(running.values()) if child.poll() is None]
            for child in children:
                child.terminate()
            deadline = time.monotonic() + SAVING_S
            while any(child.poll() is None for child in children) and time.monotonic() < deadline:
                time.sleep(0.1)
            for child in children:
                child.kill()
            raise
