"""A study from its configuration to its report."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import logging

from uaps_jax import config as config_lib
from uaps_jax import files, methods
from uaps_jax.data import leakage, protocols, source, splits
from uaps_jax.data.source import Dataset
from uaps_jax.reports import study_page, table_texts, tables
from uaps_jax.study import draw, runner
from uaps_jax.study import grid as grid_lib
from uaps_jax.study.grid import Cell, Decoders, Grid
from uaps_jax.study.rows import budget, rows_of, write_rows
from uaps_jax.study.runner import Outcome
from uaps_jax.training import checkpoints, results, workdir

ROWS = "results.jsonl"
SHOWN = (
    "steps",
    "batch_labeled",
    "schedule",
    "learning_rate",
    "eval_every",
    "height",
    "width",
    "dtype",
    "protocol",
    "predictor",
    "device",
)
"""What the report says of the settings."""


class UnfinishedStudy(RuntimeError):
    """Trainings of a study failed; its text names each with its reason."""


def run(grid: Grid, directory: Path, command: Sequence[str]) -> None:
    """Runs what has not been run, and writes the report.

    Args:
      grid: the study.
      directory: its folder; each training has a work directory under `runs`.
      command: what starts a training, its flags apart.

    Raises:
      ConfigError: the study or one of its configurations cannot be run; nothing was started.
      UnfinishedStudy: trainings failed; the report is written nevertheless.
    """
    with workdir.locked(directory):
        cells = _with_data(grid_lib.cells(grid))
        outcomes = runner.run(
            cells,
            directory,
            workers=grid.workers,
            command=command,
            finished=lambda so_far: report(grid, so_far, directory, figures=False),
        )
        report(grid, outcomes, directory, figures=True)
    logging.info("report: %s", directory / "report.html")
    if failures := _failures(outcomes):
        raise UnfinishedStudy(
            f"failed: {len(failures)} of {len(cells)}; the same command tries them again\n  "
            + "\n  ".join(failures)
        )


def _with_data(cells: Sequence[Cell]) -> dict[Cell, str]:
    """The cells, and of each the digest of what it will see; datasets are built where needed.

    Raises:
      ConfigError, DataError: a dataset, split or method cannot be had.
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
        if str(data) not in digests:
            parts = protocols.make_split(opened[source_key], data)
            digests[str(data)] = results.digest(protocols.record(opened[source_key], data, parts))
        by_cell[cell] = digests[str(data)]
    return by_cell


def report(grid: Grid, outcomes: Sequence[Outcome], directory: Path, *, figures: bool) -> None:
    """Writes what there is so far: `report.html`, `report.md`, `results.csv`, `results.jsonl`.

    A figure that cannot be drawn is said in the report and is no reason to lose the rest.

    Args:
      grid: the study.
      outcomes: of its trainings.
      directory: its folder.
      figures: whether figures are drawn as well.
    """
    write_rows(outcomes, directory / ROWS)
    rows = rows_of(outcomes, grid.checkpoint, grid.metrics)
    made = tables.tables(rows, list(grid.entries), grid.metrics, grid.baseline)
    notes, failures, drawn = _notes(grid, outcomes, directory, rows), _failures(outcomes), []
    for number, figure in enumerate(grid.figures if figures else (), start=1):
        file = f"figures/{number:02d}.png"
        (directory / "figures").mkdir(exist_ok=True)
        caption = f"{figure.title} ({figure.dataset})"
        try:
            if draw.draw(grid, figure, outcomes, directory, directory / file):
                drawn.append((caption, file))
        except (OSError, ValueError, KeyError) as error:
            logging.exception("figure %s", caption)
            notes.append(f"The figure {caption!r} could not be drawn: {error}")
    page = study_page.render(grid.title, made, drawn, failures, notes)
    files.write_text(directory / "report.html", page)
    pictures = "".join(f"\n![{caption}]({file})\n" for caption, file in drawn)
    listed = "".join(f"- {note}\n" for note in notes)
    failed = "".join(f"- failed: {failure}\n" for failure in failures)
    listed, failed = html.escape(listed, quote=False), html.escape(failed, quote=False)
    title = html.escape(grid.title, quote=False)
    text = f"# {title}\n\n{listed}{failed}\n{table_texts.markdown(made)}\n{pictures}"
    files.write_text(directory / "report.md", text)
    files.write_text(directory / "results.csv", table_texts.csv_text(rows))


def _failures(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for outcome in outcomes:
        cell = outcome.cell
        if outcome.result is None:
            training = f"{cell.entry} on {cell.dataset}, ratio {cell.ratio:g}, seed {cell.seed}"
            lines.append(f"{training}: {outcome.reason}")
    return lines


def _record(folder: Path) -> dict[str, Any]:
    """Which images a training saw."""
    return checkpoints.read_record(folder, checkpoints.find_step(folder, "latest"))


def _sizes(records: Sequence[tuple[Cell, Mapping[str, Any]]]) -> Iterator[str]:
    """Images and leakage groups of the parts: a line for each dataset and budget.

    Where seeds draw labeled images of their own, those of one are given. Trainings of before do
    not say how many groups they saw.
    """
    first: dict[str, str] = {}
    for cell, record in records:
        if protocols.SIZES in record:
            data = cell.config.data
            key = f"{cell.dataset}, protocol {data.protocol}, {budget(data)}"
            sizes = leakage.described(record[protocols.SIZES])
            first.setdefault(key, f"data.split_seed {data.split_seed}: {sizes}")
    for key, sizes in first.items():
        yield f"{key}, {sizes}."


def _notes(
    grid: Grid, outcomes: Sequence[Outcome], directory: Path, rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What a reader has to know about the numbers."""
    chosen = {
        "best": "the checkpoint that is best on validation (image_dice)",
        "latest": "the last checkpoint",
    }[grid.checkpoint]
    notes = [f"Test scores in percent, at {chosen}."]
    for key in SHOWN:
        values: dict[str, list[str]] = {}
        for row in rows:
            values.setdefault(str(row[key]), []).append(row["entry"])
        if len(values) == 1:
            notes.append(f"{key}: {next(iter(values))}")
        elif values:
            each = (f"{v} for {', '.join(dict.fromkeys(names))}" for v, names in values.items())
            notes.append(f"{key}: {'; '.join(each)}")
    # Trainings on the same data are split alike: one of each tells.
    one_each: dict[str, Cell] = {}
    for outcome in outcomes:
        if outcome.result and checkpoints.saved_steps(directory / outcome.cell.folder):
            one_each.setdefault(str(outcome.cell.config.data), outcome.cell)
    records = [(cell, _record(directory / cell.folder)) for cell in one_each.values()]
    notes += _sizes(records)
    if any(splits.validates_on_test(record) for _, record in records):
        notes.append(
            "There are no validation images of their own: the best checkpoint is chosen on the "
            "test images."
        )
    for outcome in outcomes:
        for warning in outcome.result.get("warnings", ()) if outcome.result else ():
            notes.append(f"Warning of {outcome.cell.folder}: {warning}")
    if not grid.split_follows_seed:
        notes.append("All seeds see the same labeled images.")
    if any(isinstance(figure, Decoders) for figure in grid.figures):
        notes.append(
            f"Inference times: one image, median of {draw.TIMED} calls, when this report was made, "
            f"on {jax.devices()[0].device_kind}."
        )
    if grid.ramp_share:
        notes.append(f"Every ramp takes {100 * grid.ramp_share:g} % of the steps.")
    return notes
