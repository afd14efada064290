"""Seconds of calls, and the files that figures go to. Imports no framework."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def seconds(call: Callable[[], Any], count: int) -> list[float]:
    """Seconds of each of some calls, one after another."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def step_figures(times: Sequence[float], images: int) -> dict[str, float]:
    """Images per second from the median step, and its milliseconds with the extremes.

    Args:
      times: seconds of each step.
      images: of a step.
    """
    return {
        "images_per_second": images / statistics.median(times),
        "step_ms": 1000 * statistics.median(times),
        "step_ms_fastest": 1000 * min(times),
        "step_ms_slowest": 1000 * max(times),
    }


def record(name: str, figures: Mapping[str, Any]) -> None:
    """Adds a line to `results/<name>.jsonl`."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(figures) + "\n")
