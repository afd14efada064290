"""How many photographs are received and judged at once, and the end of that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus

from absl import logging

from uaps_jax.serving.receiving import Refusal

AT_ONCE = 4
"""So many photographs are received and judged at once; further ones wait for a place."""

PLACE_S = 60.0
"""The longest time that a photograph waits for a place, in seconds."""

END_S = 30.0
"""The longest time that the end of a server waits for photographs that were received."""


class Places:
    """Those of photographs that are received and judged; used by several threads."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._received, self._changed = 0, threading.Condition()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """One of the `AT_ONCE` places.

        Raises:
          Refusal: none was free for `PLACE_S` seconds.
        """
        if not self._places.acquire(timeout=PLACE_S):
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{AT_ONCE} other photographs were being received or judged for {PLACE_S:g} s: "
                "ask again later",
            )
        try:
            yield
        finally:
            self._places.release()

    @contextlib.contextmanager
    def received(self) -> Iterator[None]:
        """A photograph was received wholly, and is answered within."""
        with self._changed:
            self._received += 1
        try:
            yield
        finally:
            with self._changed:
                self._received -= 1
                self._changed.notify_all()

    def finish(self) -> None:
        """Waits until the photographs that were received are answered, at most `END_S` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._received, END_S):
                logging.warning("photographs that are not answered: %d", self._received)
