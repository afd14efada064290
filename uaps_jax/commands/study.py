"""Runs the trainings of a study and reports them."""

from __future__ import annotations

from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.study import cells
from uaps_jax.study.grid import Grid
from uaps_jax.study.rounds import Rounds
from uaps_jax.study.run_rounds import run_rounds
from uaps_jax.study.run_study import run_study


def study(request: Request) -> None:
    """Runs the trainings that have no result yet, each as a process, and writes the report.

    Raises:
      ConfigError: no entry is a recipe, whose stages were to be processes.
      UnfinishedStudy: trainings failed; the report says which.
    """
    command = request.command[:2]
    of_recipe = (*command, *(["--stages_as_processes"] if request.stages_as_processes else []))
    if isinstance(request.config, Rounds):
        run_rounds(request.config, request.workdir, of_recipe)
        return
    assert isinstance(request.config, Grid)
    if request.stages_as_processes and not any(c.recipe for c in cells.cells(request.config)):
        raise ConfigError(
            "--stages_as_processes is for recipes, and no entry of this study is one; leave it out"
        )
    run_study(request.config, request.workdir, command, of_recipe)
