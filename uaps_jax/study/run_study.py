"""Runs a study: checks it, opens its data, runs its trainings, writes its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.data import protocols, source, targets
from uaps_jax.data.source import Dataset
from uaps_jax.recipes import run_recipe
from uaps_jax.study import cells as cells_lib
from uaps_jax.study import report, runner
from uaps_jax.study.cells import Cell
from uaps_jax.study.grid import Grid
from uaps_jax.study.kind import UnfinishedStudy
from uaps_jax.training import results, workdir


def run_study(
    grid: Grid, directory: Path, command: Sequence[str], of_recipe: Sequence[str]
) -> None:
    """Runs the trainings that have no result yet, and writes the report.

    Args:
      grid: the study.
      directory: of the study; the work directories of the trainings are in it.
      command: that starts a training, without its configuration.
      of_recipe: that starts a recipe, likewise.

    Raises:
      ConfigError: the study or one of its configurations cannot be run; no training was started.
      DataError: the data of a training are bad; no training was started.
      UnfinishedStudy: trainings failed; the report of the others has been written.
    """
    with workdir.locked(directory):
        cells = _data_digests(cells_lib.cells(grid))
        outcomes = runner.run(
            cells,
            directory,
            workers=grid.workers,
            per_gpu=grid.per_gpu,
            command=command,
            of_recipe=of_recipe,
            on_finish=lambda so_far: report.write(grid, so_far, directory, with_figures=False),
        )
        report.write(grid, outcomes, directory, with_figures=True)
    for line in report.score_lines(grid, outcomes):
        logging.info("%s", line)
    logging.info("report: %s", directory / "report.html")
    if failures := report.failures(outcomes):
        raise UnfinishedStudy(
            f"failed: {len(failures)} of {len(cells)} trainings; run the same command to retry\n  "
            + "\n  ".join(failures)
        )


def _data_digests(cells: Sequence[Cell]) -> dict[Cell, str]:
    """Cell -> digest of its data. Builds missing datasets, and checks methods and splits.

    Raises:
      ConfigError: a dataset, split or method does not fit the configuration.
      DataError: raw data are bad.
    """
    opened: dict[str, Dataset] = {}
    digests: dict[str, str] = {}
    by_cell = {}
    for cell in cells:
        data = cell.config.data
        source_key = f"{data.name} {data.data_dir} {data.manual_dir} {data.folder}"
        if source_key not in opened:
            opened[source_key] = source.open_dataset(data)
        config = config_lib.with_classes(cell.config, opened[source_key].class_names)
        methods.build(config)
        if cell.recipe is not None:
            _, by_cell[cell] = run_recipe.split_of(cell.recipe, opened[source_key])
            continue
        if str(data) not in digests:
            dataset = opened[source_key]
            parts, found = targets.restrict(dataset, data, protocols.make_split(dataset, data))
            digests[str(data)] = results.digest(protocols.record(dataset, data, parts, found))
        by_cell[cell] = digests[str(data)]
    return by_cell
