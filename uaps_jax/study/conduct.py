"""A study from its configuration to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from uaps_jax.study import grid as grid_lib
from uaps_jax.study import runner
from uaps_jax.study.grid import Grid

ROWS = "results.jsonl"


def run(grid: Grid, directory: Path, command: Sequence[str]) -> bool:
    """Runs what has not been run, and writes the report.

    Args:
      grid: the study.
      directory: its folder; each training has a work directory under `runs`.
      command: what starts a training, its flags apart.

    Returns:
      Whether every training has a result.

    Raises:
      ConfigError: the study or one of its configurations cannot be run; nothing was started.
    """
    cells = grid_lib.cells(grid)
    directory.mkdir(parents=True, exist_ok=True)
    outcomes = runner.run(
        cells,
        directory,
        workers=grid.workers,
        command=command,
        finished=lambda so_far: runner.write_rows(so_far, directory / ROWS),
    )
    runner.write_rows(outcomes, directory / ROWS)
    failures = [f"{o.cell.folder}: {o.reason}" for o in outcomes if o.result is None]
    if failures:
        logging.error("%d trainings failed:\n  %s", len(failures), "\n  ".join(failures))
    return not failures
