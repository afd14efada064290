"""The signals that ask a run to stop."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAME_S = 2.0
"""Seconds within which a second signal counts as the first one, sent twice."""


@contextlib.contextmanager
def caught(first: Callable[[int], object]) -> Iterator[None]:
    """Within this context, the first signal calls `first` with its number.

    A later signal has its previous effect, at once; within `SAME_S` seconds it counts as the first
    one, sent twice. Signals that were ignored stay ignored. Outside the main thread, where handlers
    cannot be set, no signal is caught.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal arrived
        del frame
        if arrived == math.inf:
            arrived = time.monotonic()
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
