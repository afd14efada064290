"""How far the trainings are that a study runs now."""

from __future__ import annotations

import json
from pathlib import Path

from uaps_jax.recipes import record
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.stage import Training
from uaps_jax.study.cells import Cell
from uaps_jax.training import workdir

TAIL_BYTES = 65536


def line(cell: Cell, directory: Path) -> str:
    """A training's steps and the time of its remaining ones, as far as its metrics tell.

    Args:
      cell: the training, or a recipe, of whose stages it is the last one that was started.
      directory: of the study.
    """
    if cell.recipe is None:
        return _of_training(str(cell.folder), directory / cell.folder, cell.config.train.steps)
    stages = cell.recipe.stages()
    folders = stage_lib.folders(stages, directory / cell.folder)
    started = [n for n, stage in enumerate(stages) if (folders[stage.name] / record.FILE).exists()]
    if not started:
        return f"{cell.folder}: no stage yet"
    stage = stages[started[-1]]
    what = f"{cell.folder}: stage {started[-1] + 1} of {len(stages)}, {stage.name}"
    if not isinstance(stage, Training):
        return what
    steps = stage.configure({name: folders[name] for name in stage.inputs}).train.steps
    return _of_training(what, folders[stage.name], steps)


def _of_training(what: str, folder: Path, total: int) -> str:
    records = _last_records(folder)
    if not records:
        return f"{what}: no step yet"
    step = max(one["step"] for one in records)
    text = f"{what}: step {step} of {total}"
    rates = [r["train/steps_per_second"] for r in records if r.get("train/steps_per_second")]
    return f"{text}, about {(total - step) / rates[-1] / 60:.1f} minutes left" if rates else text


def _last_records(folder: Path) -> list[dict[str, float]]:
    """The records at the end of its metrics; the last line may not be complete yet."""
    try:
        with (folder / workdir.METRICS).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return []
    records = map(_record, lines[1:] if size > TAIL_BYTES else lines)
    return [one for one in records if one is not None]


def _record(line: bytes) -> dict[str, float] | None:
    """A record with a step; None for a line that is incomplete or damaged."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "step" in found else None
