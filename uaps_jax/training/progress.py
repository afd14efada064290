"""The progress of a run: a bar with the time left, and an estimate in the log."""

from __future__ import annotations

import sys
import time

import jax
import numpy as np
import tqdm
from absl import logging

from uaps_jax.training import processes

UNSHOWN = ("gradient_norm", "state_norm", "ramp")  # metrics that the bar leaves out
LONG_RUN_HOURS = 6
"""On a CPU, a longer run gets a warning that names the shortened settings."""


class Progress:
    """A bar with the time left, the losses, and the latest validation score."""

    def __init__(self, start: int, steps: int) -> None:
        interval = 0.5 if sys.stderr.isatty() else 15.0  # seconds
        self._bar = tqdm.tqdm(
            total=steps,
            initial=start,
            unit="step",
            mininterval=interval,
            dynamic_ncols=True,
            disable=not processes.is_first(),
        )
        self._done = 0
        self._times = [time.perf_counter()]
        self._waits: list[float] = []
        self._remaining = steps - start
        self._score = ""

    def step(self, values: dict[str, float]) -> float:
        """Counts a step and returns the current steps per second (0 for the first two steps)."""
        self._times = [*self._times[-50:], time.perf_counter()]
        self._remaining -= 1
        shown = {k: f"{v:.3g}" for k, v in values.items() if k not in UNSHOWN}
        self._bar.set_postfix(shown | ({"val": self._score} if self._score else {}), refresh=False)
        self._bar.update()
        self._done += 1
        count = self._done
        if count == 1:
            logging.info("first step, compilation included: %.1f s", self._elapsed(1))
        if count < 3:
            return 0.0
        seconds = float(np.median(np.diff(self._times)))
        if count == 6:
            self._estimate(seconds)
        return 1 / seconds

    def waited(self, seconds: float) -> None:
        """Adds the time for which a step waited for its data."""
        self._waits = [*self._waits[-50:], seconds]

    def waiting_share(self) -> float:
        """The fraction of the time of the last steps spent waiting for data; 0 at first."""
        steps = len(self._times) - 1
        if steps < 2:
            return 0.0
        return float(sum(self._waits[-steps:]) / (self._times[-1] - self._times[0]))

    def evaluated(self, score: float) -> None:
        """Sets the validation score that is shown."""
        self._score = f"{score:.2f}"
        self._times = [time.perf_counter()]

    def close(self) -> None:
        self._bar.close()

    def _elapsed(self, steps: int) -> float:
        return self._times[-1] - self._times[-1 - steps]

    def _estimate(self, seconds: float) -> None:
        left = self._remaining * seconds
        logging.info("%.2f s per step: about %s left, without evaluations", seconds, duration(left))
        if left > LONG_RUN_HOURS * 3600 and jax.default_backend() == "cpu":
            logging.warning(
                "This setting is meant for a GPU: here it would take about %s. The shortened "
                "settings take minutes to an hour: --config=FILE.py:small, or variant=small behind "
                "configs/train.py.",
                duration(left),
            )


def duration(seconds: float) -> str:
    """Seconds as text in days, hours or minutes."""
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.1f} days"
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.1f} minutes"
