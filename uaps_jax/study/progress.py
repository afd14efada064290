"""How far the trainings are that a study runs now."""

from __future__ import annotations

import json
from pathlib import Path

from uaps_jax.study.cells import Cell
from uaps_jax.training import workdir

TAIL_BYTES = 65536


def line(cell: Cell, directory: Path) -> str:
    """A training's steps and the time of its remaining ones, as far as its metrics tell.

    Args:
      cell: the training.
      directory: of the study.
    """
    total, records = cell.config.train.steps, _last_records(directory / cell.folder)
    if not records:
        return f"{cell.folder}: no step yet"
    step = max(record["step"] for record in records)
    text = f"{cell.folder}: step {step} of {total}"
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
    return [record for record in records if record is not None]


def _record(line: bytes) -> dict[str, float] | None:
    """A record with a step; None for a line that is incomplete or damaged."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "step" in record else None
