"""Seconds of calls, and the files that figures go to. Imports no framework."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
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


def record(name: str, figures: Mapping[str, Any]) -> None:
    """Adds a line to `results/<name>.jsonl`."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(figures) + "\n")
