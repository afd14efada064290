"""A study from its configuration to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import logging

from uaps_jax.reports import study_page, tables
from uaps_jax.study import draw, runner
from uaps_jax.study import grid as grid_lib
from uaps_jax.study.grid import Decoders, Grid
from uaps_jax.study.runner import Outcome
from uaps_jax.training import workdir

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
    report(grid, outcomes, directory)
    failures = _failures(outcomes)
    if failures:
        logging.error("failed: %d of %d\n  %s", len(failures), len(cells), "\n  ".join(failures))
    logging.info("report: %s", directory / "report.html")
    return not failures


def report(grid: Grid, outcomes: Sequence[Outcome], directory: Path) -> None:
    """Writes tables and figures of what there is: `report.html`, `report.md`, `results.csv`."""
    rows = runner.rows(outcomes, grid.checkpoint)
    made = tables.tables(rows, list(grid.entries), grid.metrics, grid.baseline)
    drawn = []
    for number, figure in enumerate(grid.figures, start=1):
        file = f"figures/{number:02d}.png"
        (directory / "figures").mkdir(exist_ok=True)
        if draw.draw(grid, figure, outcomes, directory, directory / file):
            drawn.append((f"{figure.title} ({figure.dataset})", file))
    notes, failures = _notes(grid, rows), _failures(outcomes)
    page = study_page.render(grid.title, made, drawn, failures, notes)
    workdir.write_text(directory / "report.html", page)
    pictures = "".join(f"\n![{caption}]({file})\n" for caption, file in drawn)
    said = "".join(f"- {note}\n" for note in notes)
    failed = "".join(f"- failed: {failure}\n" for failure in failures)
    text = f"# {grid.title}\n\n{said}{failed}\n{tables.markdown(made)}\n{pictures}"
    workdir.write_text(directory / "report.md", text)
    workdir.write_text(directory / "results.csv", tables.csv_text(rows))


def _failures(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for outcome in outcomes:
        cell = outcome.cell
        if outcome.result is None:
            place = f"{cell.entry} on {cell.dataset}, ratio {cell.ratio:g}, seed {cell.seed}"
            lines.append(f"{place}: {outcome.reason}")
    return lines


def _notes(grid: Grid, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader has to know about the numbers."""
    chosen = {
        "best": "the checkpoint that is best on validation (image_dice)",
        "latest": "the last checkpoint",
    }[grid.checkpoint]
    notes = [f"Test scores in percent, at {chosen}."]
    keys = ("steps", "batch_labeled", "height", "width", "dtype", "protocol", "device")
    for key in keys:
        values = sorted({str(row[key]) for row in rows})
        if values:
            notes.append(f"{key}: {', '.join(values)}")
    if any(isinstance(figure, Decoders) for figure in grid.figures):
        notes.append(
            f"Inference times: one image, median of {draw.TIMED} calls, when this report was made, "
            f"on {jax.devices()[0].device_kind}."
        )
    if grid.ramp_share:
        notes.append(f"Every ramp takes {100 * grid.ramp_share:g} % of the steps.")
    return notes
