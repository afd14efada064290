"""SIGTERM, SIGINT, SIGHUP: the current step is finished and saved, then the run ends."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from uaps_jax import stop_signals


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
    """

    def __init__(self) -> None:
        self.number: int | None = None


@contextlib.contextmanager
def catch_signals(enabled: bool) -> Iterator[Request]:
    """Stores the first signal in the request; `stop_signals.caught` says what becomes of others.

    If not enabled, no signal is caught.
    """
    request = Request()

    def note(number: int) -> None:
        request.number = number

    with stop_signals.caught(note) if enabled else contextlib.nullcontext():
        yield request
