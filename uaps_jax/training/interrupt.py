"""SIGTERM and SIGINT: the current step is finished and saved, then the run ends."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from uaps_jax.stop_signals import SAME_S, SIGNALS


class Interrupted(RuntimeError):
    """A run was stopped by a signal and has saved its state.

    Attributes:
      number: of the signal; a shell reports 128 more.
      step: the last one.
    """

    def __init__(
        self, number: int, step: int, how: str = "the same command resumes from there"
    ) -> None:
        super().__init__(
            f"{signal.Signals(number).name}: stopped after step {step}, which is saved; {how}"
        )
        self.number, self.step = number, step


class Request:
    """The first stop signal.

    Attributes:
      number: of the signal; None until it arrives.
      when: time of its arrival by the monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.when = math.inf


@contextlib.contextmanager
def catch_signals(enabled: bool) -> Iterator[Request]:
    """Stores the first signal in the request; a later signal has its previous effect, at once.

    A signal within `SAME_S` seconds counts as the first one, sent twice. Signals that were ignored
    stay ignored. Outside the main thread, where handlers cannot be set, and if not enabled, no
    signal is caught.
    """
    request = Request()
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if request.number is None:
            request.number, request.when = number, time.monotonic()
        elif time.monotonic() > request.when + SAME_S:
            restore()
            signal.raise_signal(number)

    handled = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield request
    finally:
        restore()
