"""SIGTERM and SIGINT: the step that is running is finished and saved, then the run ends."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAME_S = 2.0


class Interrupted(RuntimeError):
    """A run was asked to stop, and has saved what it did.

    Attributes:
      number: of the signal; a shell reports 128 more.
    """

    def __init__(self, number: int, step: int) -> None:
        """Words it."""
        super().__init__(
            f"{signal.Signals(number).name}: stopped after step {step}, which is saved; the same "
            "command goes on from there"
        )
        self.number = number


class Request:
    """Whether somebody asked to stop.

    Attributes:
      number: of the signal that did; None until then.
      when: it came, by the monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        """Nobody has."""
        self.number: int | None = None
        self.when = math.inf


@contextlib.contextmanager
def watched(enabled: bool) -> Iterator[Request]:
    """Notes the first signal; a later one acts as it did before, at once.

    One that comes within `SAME_S` seconds is taken for the first, sent twice. A signal that was
    ignored stays so. Outside the main thread, where handlers cannot be set, and where it is not
    enabled, nothing is noted.
    """
    request = Request()
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if request.number is None:
            request.number, request.when = number, time.monotonic()
        elif time.monotonic() > request.when + SAME_S:
            restore()
            signal.raise_signal(number)

    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heard}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield request
    finally:
        restore()
