"""SIGTERM and SIGINT: the step that is running is finished and saved, then the run ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
    """

    def __init__(self) -> None:
        """Nobody has."""
        self.number: int | None = None


@contextlib.contextmanager
def watched(enabled: bool) -> Iterator[Request]:
    """Notes the first signal; the second acts as it did before, at once.

    Outside the main thread, where handlers cannot be set, and where it is not enabled, nothing is
    noted.
    """
    request = Request()
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        request.number = number
        restore()

    before = {number: signal.signal(number, note) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield request
    finally:
        restore()
