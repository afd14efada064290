"""A trace of some training steps, for TensorBoard's profiler or Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax


class Tracer:
    """Records the steps from `first` to `last`, counted from 1, into a folder."""

    def __init__(self, folder: Path, steps: tuple[int, int] | None) -> None:
        """Records nothing for None."""
        self._folder, self._steps, self._running = folder, steps, False

    def before(self, step: int) -> None:
        """Starts in front of the first of the steps."""
        if self._steps is not None and step == self._steps[0]:
            jax.profiler.start_trace(self._folder)
            self._running = True

    def after(self, step: int, outputs: Any) -> None:
        """Stops behind the last one, when its outputs are there."""
        if self._running and self._steps is not None and step == self._steps[1]:
            jax.block_until_ready(outputs)
            self.close()

    def close(self) -> None:
        """Stops, if it is recording."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
