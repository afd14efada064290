"""The signals that ask a run to stop."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
if sys.platform != "win32":
    SIGNALS += (signal.SIGHUP,)  # the terminal was closed, or the connection to it lost
SAME_S = 2.0
"""Seconds within which a second signal counts as the first one, sent twice."""


@contextlib.contextmanager
def caught(first: Callable[[int], object]) -> Iterator[None]:
    """Within this context, the first signal calls `first` with its number.

    A later signal has its previous effect, at once; within `SAME_S` seconds it counts as the first
    one, sent twice. Signals that were ignored stay ignored. Outside the main thread, where handlers
    cannot be set, no signal is caught. After SIGHUP, what is printed to the terminal is dropped: it
    cannot be written any more, and the error would end the run before it has saved.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = math.inf
    terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal arrived
        del frame
        if arrived == math.inf:
            arrived = time.monotonic()
            if number not in (signal.SIGTERM, signal.SIGINT):
                _silence(terminals)
            first(number)
        elif time.monotonic() > arrived + SAME_S:
            restore()
            signal.raise_signal(number)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    handled = [n for n, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    def restore() -> None:
        for number in handled:
            signal.signal(number, before[number])

    try:
        for number in handled:
            signal.signal(number, handle)
        yield
    finally:
        restore()


def _silence(descriptors: list[int]) -> None:
    """Drops what is written to file descriptors from now on."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor)
    os.close(nothing)
