"""A trace of some training steps, for TensorBoard's profiler or Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
from absl import logging


class Tracer:
    """Records the steps from `first` to `last`, counted from 1, into a folder.

    A run that goes on behind `first` records what is left of them.
    """

    def __init__(self, folder: Path, steps: tuple[int, int] | None) -> None:
        """Records nothing for None."""
        self._folder, self._steps, self._running = folder, steps, False

    def before(self, step: int) -> None:
        """Starts in front of the first of the steps."""
        if (
            self._steps is not None
            and not self._running
            and self._steps[0] <= step <= self._steps[1]
        ):
            jax.profiler.start_trace(self._folder)
            self._running = True

    def after(self, step: int, outputs: Any) -> None:
        """Stops behind the last one, when its outputs are there."""
        if self._running and self._steps is not None and step == self._steps[1]:
            jax.block_until_ready(outputs)
            self.close()

    def close(self) -> None:
        """Stops, if it is recording; says so if there was nothing to record."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
            self._steps = None
            logging.info("trace: %s", self._folder)
        elif self._steps is not None:
            logging.warning("nothing was traced: the run had no step from %d to %d", *self._steps)
            self._steps = None
