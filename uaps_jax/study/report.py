"""The report of a study: tables, figures, notes and failures."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import logging

from uaps_jax import files
from uaps_jax.data import leakage, protocols, splits
from uaps_jax.reports import equivalence, plain_table, study_page, table_texts, tables
from uaps_jax.study import figures, pseudo_labels, verdicts
from uaps_jax.study.cells import Cell
from uaps_jax.study.grid import Decoders, Grid, LabelEquivalence, all_rows
from uaps_jax.study.outcome import Outcome
from uaps_jax.study.rows import rows_of, write_rows
from uaps_jax.training import checkpoints

ROWS = "results.jsonl"
REPORTED_SETTINGS = (
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
"""Columns of the rows that the notes list: settings and the device."""


def write(grid: Grid, outcomes: Sequence[Outcome], directory: Path, *, with_figures: bool) -> None:
    """Writes `report.html`, `report.md`, `results.csv` and `results.jsonl`, and draws figures.

    If a figure cannot be drawn, the report contains the reason instead.

    Args:
      grid: the study.
      outcomes: of the trainings that have ended.
      directory: of the study.
      with_figures: whether figures are drawn.
    """
    write_rows(outcomes, directory / ROWS)
    rows = rows_of(outcomes, grid.checkpoint, grid.metrics)
    made = _tables(grid, rows)
    notes, failed, drawn = _notes(grid, outcomes, directory, rows), failures(outcomes), []
    for number, figure in enumerate(grid.figures if with_figures else (), start=1):
        file = f"figures/{number:02d}.png"
        (directory / "figures").mkdir(exist_ok=True)
        caption = f"{figure.title} ({figure.dataset})"
        try:
            if figures.draw(grid, figure, outcomes, directory, directory / file):
                drawn.append((caption, file))
        except (OSError, ValueError, KeyError) as error:
            logging.exception("figure %s", caption)
            notes.append(f"The figure {caption!r} could not be drawn: {error}")
    of_labels = [
        (
            f"{figure.title} ({figure.dataset})",
            figures.equivalences(grid, figure, rows),
            grid.baseline,
            grid.metrics[0],
        )
        for figure in grid.figures
        if isinstance(figure, LabelEquivalence)
    ]
    of_images = (verdicts.TITLE, verdicts.HEAD, verdicts.rows(rows), verdicts.CAPTION)
    of_recipes = (
        pseudo_labels.TITLE,
        pseudo_labels.HEAD,
        pseudo_labels.rows(outcomes, directory),
        pseudo_labels.CAPTION,
    )
    further = [
        *(equivalence.html(*one) for one in of_labels),
        plain_table.html(*of_images),
        plain_table.html(*of_recipes),
    ]
    scores = "\n".join([table_texts.html(made), *further])
    page = study_page.render(grid.title, scores, drawn, failed, notes)
    files.write_text(directory / "report.html", page)
    pictures = "".join(f"\n![{caption}]({file})\n" for caption, file in drawn)
    listed = "".join(f"- {note}\n" for note in notes)
    listed += "".join(f"- failed: {failure}\n" for failure in failed)
    title, listed = (html.escape(text, quote=False) for text in (grid.title, listed))
    text = f"# {title}\n\n{listed}\n{table_texts.markdown(made)}\n"
    text += "".join(equivalence.markdown(*one) for one in of_labels)
    text += plain_table.markdown(*of_images) + plain_table.markdown(*of_recipes, texts=3)
    text += pictures
    files.write_text(directory / "report.md", text)
    files.write_text(directory / "results.csv", table_texts.csv_text(rows))


def score_lines(grid: Grid, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The scores of the tables, one line an entry."""
    rows = rows_of(outcomes, grid.checkpoint, grid.metrics)
    yield from table_texts.score_lines(_tables(grid, rows))


def _tables(grid: Grid, rows: Sequence[tables.Row]) -> list[tables.Table]:
    return tables.tables(rows, list(all_rows(grid)), grid.metrics, grid.baseline)


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each training without a result, with the reason."""
    lines = []
    for outcome in outcomes:
        cell = outcome.cell
        if outcome.result is None:
            training = f"{cell.entry} on {cell.dataset}, {cell.budget}, {cell.run}"
            lines.append(f"{training}: {outcome.reason}")
    return lines


def _record(folder: Path) -> dict[str, Any]:
    """The data record of a training."""
    return checkpoints.read_record(folder, checkpoints.find_step(folder, "latest"))


def _sizes(records: Sequence[tuple[Cell, Mapping[str, Any]]]) -> Iterator[str]:
    """A line for each dataset and budget, with the images and leakage groups of each part.

    If the split depends on the seed, the numbers are those of one seed. Older records without the
    number of groups are left out.
    """
    first: dict[str, str] = {}
    for cell, record in records:
        if protocols.SIZES in record:
            data = cell.config.data
            key = f"{cell.dataset}, protocol {data.protocol}, {cell.budget}"
            sizes = leakage.described(record[protocols.SIZES])
            first.setdefault(key, f"data.split_seed {data.split_seed}: {sizes}")
    for key, sizes in first.items():
        yield f"{key}, {sizes}."


def draw_notes(cells: Sequence[Cell]) -> list[str]:
    """What follows from the draws of labeled images of the trainings."""
    if len({cell.draw for cell in cells}) == 1:
        return ["All runs use the same draw of labeled images."]
    of_draw = Counter((cell.dataset, cell.entry, cell.budget, cell.draw) for cell in cells)
    if max(of_draw.values(), default=0) > 1:
        return [
            "Intervals take all runs as independent. Runs with one draw share their labeled "
            "images, so that intervals over several seeds a draw are too narrow."
        ]
    return []


def _notes(
    grid: Grid, outcomes: Sequence[Outcome], directory: Path, rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Notes about the numbers in the report."""
    selections = {outcome.cell.config.evaluation.selection for outcome in outcomes}
    chosen = {
        "best": f"the checkpoint with the best {' or '.join(sorted(selections))} on val",
        "latest": "the last checkpoint",
    }[grid.checkpoint]
    notes = [f"Test scores in percent, of {chosen}.", *grid.notes]
    for key in REPORTED_SETTINGS:
        values: dict[str, list[str]] = {}
        for row in rows:
            values.setdefault(str(row[key]), []).append(row["entry"])
        if len(values) == 1:
            notes.append(f"{key}: {next(iter(values))}")
        elif values:
            each = (f"{v} for {', '.join(dict.fromkeys(names))}" for v, names in values.items())
            notes.append(f"{key}: {'; '.join(each)}")
    # Trainings with the same data settings have the same split: the record of one is enough.
    one_each: dict[str, Cell] = {}
    for outcome in outcomes:
        if outcome.result and checkpoints.saved_steps(directory / outcome.cell.folder):
            one_each.setdefault(str(outcome.cell.config.data), outcome.cell)
    records = [(cell, _record(directory / cell.folder)) for cell in one_each.values()]
    notes += _sizes(records)
    if any(splits.validates_on_test(record) for _, record in records):
        notes.append(
            "Val is the test list: the best checkpoint is chosen on the test images, and its score "
            "is too high."
        )
    for outcome in outcomes:
        for warning in outcome.result.get("warnings", ()) if outcome.result else ():
            notes.append(f"Warning of {outcome.cell.folder}: {warning}")
    notes += draw_notes([outcome.cell for outcome in outcomes])
    if any(isinstance(figure, Decoders) for figure in grid.figures):
        notes.append(
            f"Inference times: one image, median of {figures.TIMED_CALLS} calls, measured for this "
            f"report on {jax.devices()[0].device_kind}."
        )
    if grid.ramp_share:
        notes.append(
            f"Every ramp of the unlabeled loss takes {100 * grid.ramp_share:g} % of the steps."
        )
    return notes
