"""How long photographs take."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

KEPT = 10_000
"""The percentiles are those of so many last photographs."""

PERCENTILES = (50, 95, 99)


class Timings:
    """The times of the photographs since the start; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._milliseconds: deque[float] = deque(maxlen=KEPT)
        self._count = 0
        self._not_ok = 0
        self._refused = 0

    def add(self, milliseconds: float, *, not_ok: bool | None) -> None:
        """Counts a photograph that was judged."""
        with self._lock:
            self._milliseconds.append(milliseconds)
            self._count += 1
            self._not_ok += bool(not_ok)

    def refuse(self) -> None:
        """Counts a request without an answer about a photograph."""
        with self._lock:
            self._refused += 1

    def summary(self) -> dict[str, float]:
        """Numbers of photographs, and percentiles of their milliseconds, where there are any."""
        with self._lock:
            values = list(self._milliseconds)
            numbers: dict[str, float] = {
                "photographs": self._count,
                "not_ok": self._not_ok,
                "refused": self._refused,
                "seconds_since_start": round(time.monotonic() - self._started, 1),
            }
        return numbers | percentiles(values)


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """`p50_ms`, `p95_ms`, `p99_ms`: so many percent of the values are at most that; {} of none.

    The smallest value for which this holds, without interpolation.
    """
    if not milliseconds:
        return {}
    found = np.percentile(milliseconds, PERCENTILES, method="inverted_cdf")
    return {
        f"p{percent}_ms": round(float(value), 2)
        for percent, value in zip(PERCENTILES, found, strict=True)
    }
