"""What became of the trainings and recipes of a study, from their files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uaps_jax.config import ConfigError
from uaps_jax.recipes import run_recipe
from uaps_jax.recipes.stage import Training
from uaps_jax.study.cells import Cell
from uaps_jax.training import results


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one training.

    Attributes:
      cell: the training. That of a recipe has the name of its row, its own folder and its own
        configuration; a recipe that failed is the cell itself.
      result: None if there is none.
      reason: why there is no result; "" if there is one.
      recipe: of a row of a recipe, the recipe.
    """

    cell: Cell
    result: Mapping[str, Any] | None
    reason: str
    recipe: Cell | None = None


def finished(cell: Cell, directory: Path, data: str) -> list[Outcome] | None:
    """The outcome of a finished training, or of each row of a finished recipe; None otherwise.

    Args:
      cell: the training or recipe.
      directory: of the study.
      data: digest of its data.
    """
    if cell.recipe is not None:
        return _of_recipe(cell, directory, data)
    result = results.read(directory / cell.folder, cell.config, data)
    return None if result is None else [Outcome(cell=cell, result=result, reason="")]


def failed(cell: Cell, reason: str) -> Outcome:
    return Outcome(cell=cell, result=None, reason=reason)


def _of_recipe(cell: Cell, directory: Path, data: str) -> list[Outcome] | None:
    assert cell.recipe is not None
    try:
        opened = run_recipe.open_recipe(cell.recipe, directory / cell.folder, data)
    except ConfigError:  # of a damaged file: the recipe's own run says which
        return None
    if any(state.kind != "done" for state in opened.states.values()):
        return None
    trainings = {stage.name: stage for stage in opened.stages if isinstance(stage, Training)}
    outcomes = []
    for row, name in cell.rows.items():
        stage = trainings[name]
        config = stage.configure({given: opened.folders[given] for given in stage.inputs})
        of_row = dataclasses.replace(
            cell, entry=row, folder=cell.folder / stage.folder, config=config, recipe=None
        )
        result = results.read_file(directory / of_row.folder)
        if result is None:
            return None
        outcomes.append(Outcome(cell=of_row, result=result, reason="", recipe=cell))
    return outcomes
