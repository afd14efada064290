"""Runs the trainings of a study. Finished ones are skipped, interrupted ones are resumed.

Each training is a process with the command that a user would type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from absl import logging

from uaps_jax.study import outcome, processes, progress
from uaps_jax.study.cells import Cell, flags
from uaps_jax.study.outcome import Outcome
from uaps_jax.study.processes import Job
from uaps_jax.training import results


def run(
    cells: Mapping[Cell, str],
    directory: Path,
    *,
    workers: int,
    per_gpu: int,
    command: Sequence[str],
    of_recipe: Sequence[str],
    on_finish: Callable[[Sequence[Outcome]], None],
) -> list[Outcome]:
    """Runs every training or recipe that has no result yet.

    Args:
      cells: training or recipe -> digest of its data (`training.results.digest`).
      directory: of the study.
      workers: number of trainings at a time (`processes.run_jobs`).
      per_gpu: number of trainings on a GPU, likewise.
      command: that starts a training, without its configuration: (python, its script).
      of_recipe: that starts a recipe, likewise.
      on_finish: called after each training, by one thread at a time, with all outcomes so far.

    Returns:
      The outcomes, in the order of `cells`: one of a training, one of each row of a recipe.
    """
    outcomes: dict[Cell, list[Outcome]] = {}
    left: list[Cell] = []
    for cell, data in cells.items():
        finished = outcome.finished(cell, directory, data)
        if finished is None:
            left.append(cell)
        else:
            outcomes[cell] = finished
    logging.info("%d trainings: %d are finished, %d to run", len(cells), len(outcomes), len(left))

    def finish(index: int, reason: str) -> str:
        cell = left[index]
        finished = outcome.finished(cell, directory, cells[cell])
        if finished is None and not reason:
            reason = f"it ended without a {results.FILE} for its configuration and data"
        if reason or finished is None:
            finished = [outcome.failed(cell, reason)]
        outcomes[cell] = finished
        try:
            on_finish([one for c in cells for one in outcomes.get(c, ())])
        except Exception:  # the other trainings do not need the report
            logging.exception("the report could not be written")
        return reason

    def job(cell: Cell) -> Job:
        name, folder = str(cell.folder), directory / cell.folder
        start = command if cell.recipe is None else (*of_recipe, f"--reuse={directory}")
        given = [*start, *flags(cell), f"--workdir={folder}"]
        return Job(name=name, command=given, folder=folder)

    processes.run_jobs(
        [job(cell) for cell in left],
        workers=workers,
        per_gpu=per_gpu,
        compiled=directory / "compiled",
        finish=finish,
        show=lambda indices: _show([left[index] for index in indices], directory),
    )
    missing = "it has not been run"
    return [one for cell in cells for one in outcomes.get(cell, [outcome.failed(cell, missing)])]


def _show(running: Sequence[Cell], directory: Path) -> None:
    """Logs how far trainings are; they do not need it."""
    try:
        lines = [progress.line(cell, directory) for cell in running]
    except Exception:
        logging.exception("the progress could not be read")
        return
    if lines:
        logging.info("%s", "; ".join(lines))
