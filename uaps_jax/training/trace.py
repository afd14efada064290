"""A profiler trace of some training steps, for TensorBoard or Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
from absl import logging


class Tracer:
    """Traces the steps from `steps[0]` to `steps[1]`, counted from 1, into a folder.

    A run that resumes between them traces the remaining ones. With None nothing is traced.
    """

    def __init__(self, folder: Path, steps: tuple[int, int] | None) -> None:
        self._folder, self._steps, self._running = folder, steps, False

    def before(self, step: int) -> None:
        """Starts the trace if `step` is to be traced."""
        if (
            self._steps is not None
            and not self._running
            and self._steps[0] <= step <= self._steps[1]
        ):
            jax.profiler.start_trace(self._folder)
            self._running = True

    def after(self, step: int, outputs: Any) -> None:
        """Ends the trace after the last step, when its outputs are ready."""
        if self._running and self._steps is not None and step == self._steps[1]:
            jax.block_until_ready(outputs)
            self.close()

    def close(self) -> None:
        """Ends the trace; logs a warning if there was no step to trace."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
            self._steps = None
            logging.info("trace: %s", self._folder)
        elif self._steps is not None:
            logging.warning("nothing was traced: the run had no step from %d to %d", *self._steps)
            self._steps = None
