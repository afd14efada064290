"""Runs a study of rounds of annotation: its recipes as processes, then its report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging

from uaps_jax import files
from uaps_jax.data import source
from uaps_jax.recipes import curve
from uaps_jax.recipes.rounds import other_starts
from uaps_jax.recipes.stage import Training
from uaps_jax.reports import learning_curves, learning_page, table_texts
from uaps_jax.study import processes, rounds
from uaps_jax.study.kind import UnfinishedStudy
from uaps_jax.study.processes import Job
from uaps_jax.study.rounds import Rounds, Run
from uaps_jax.study.rows import without_epsilon
from uaps_jax.training import results, workdir

FIGURE = "curve.png"


def run_rounds(study: Rounds, directory: Path, command: Sequence[str]) -> None:
    """Runs or resumes the recipe of every seed, and writes the report of those that are finished.

    A finished recipe is run again, too: it finds that nothing is left to do.

    Args:
      study: to run.
      directory: of the study; the work directories of the recipes are in it.
      command: that starts a recipe, without its configuration.

    Raises:
      ConfigError: the study cannot be run, or its data do not fit; no recipe was started.
      DataError: the data are bad; no recipe was started.
      UnfinishedStudy: recipes failed; the report of the others has been written.
    """
    with workdir.locked(directory):
        runs = rounds.runs(study, directory)
        dataset = source.open_dataset(runs[0].recipe.base.data)
        for run in runs:
            run.recipe.split(dataset)
        failures: dict[int, str] = {}
        finished: list[Run] = []

        def finish(index: int, reason: str) -> str:
            run = runs[index]
            if reason:
                failures[run.seed] = reason
                return reason
            finished.append(run)
            finished.sort(key=lambda other: other.seed)
            try:
                write(study, finished, failures, directory)
            except Exception:  # the other recipes do not need the report
                logging.exception("the report could not be written")
            return ""

        processes.run_jobs(
            [_job(run, directory, command) for run in runs],
            workers=study.workers,
            per_gpu=study.per_gpu,
            compiled=directory / "compiled",
            finish=finish,
            show=lambda indices: logging.info(
                "%s", "; ".join(progress(runs[index], directory) for index in indices)
            ),
        )
        if finished:
            write(study, finished, failures, directory)
            logging.info("report: %s", directory / curve.PAGE)
    if failures:
        lines = "\n  ".join(f"seed {seed}: {reason}" for seed, reason in failures.items())
        raise UnfinishedStudy(
            f"failed: {len(failures)} of {len(runs)} recipes; run the same command to retry\n"
            f"  {lines}"
        )


def _job(run: Run, directory: Path, command: Sequence[str]) -> Job:
    folder = directory / run.folder
    return Job(
        name=run.folder, command=[*command, *run.flags, f"--workdir={folder}"], folder=folder
    )


def progress(run: Run, directory: Path) -> str:
    """How many trainings of a recipe have a result."""
    folders = [stage.folder for stage in run.recipe.stages() if isinstance(stage, Training)]
    done = sum((directory / run.folder / folder / results.FILE).exists() for folder in folders)
    return f"{run.folder}: {done} of {len(folders)} trainings are done"


def write(
    study: Rounds, finished: Sequence[Run], failures: Mapping[int, str], directory: Path
) -> None:
    """Writes `report.html`, `curve.png`, `results.csv` and `results.jsonl`.

    Args:
      study: for its title and its notes.
      finished: its recipes that are done.
      failures: seed -> why its recipe is not.
      directory: of the study.
    """
    rows = rows_of(finished, directory)
    question = finished[0].recipe.question
    curve.require_metric(rows, question.metric)
    shown = [row for row in rows if row["checkpoint"] == question.checkpoint]
    found = learning_curves.compare(
        shown, [chain.name for chain in finished[0].recipe.chains], question
    )
    learning_curves.draw(found, question, study.title, directory / FIGURE)
    failed = [f"seed {seed}: {reason}" for seed, reason in failures.items()]
    starts = other_starts(finished[0].recipe.chains)
    notes = [_setting(finished), *starts, *study.notes]
    page = learning_page.render(study.title, found, question, (FIGURE,), failed, notes)
    files.write_text(directory / curve.PAGE, page)
    of_test = [row for row in shown if row["part"] == "test"]
    files.write_text(directory / "results.csv", table_texts.csv_text(of_test))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    files.write_text(directory / "results.jsonl", lines)


def rows_of(finished: Sequence[Run], directory: Path) -> list[dict[str, Any]]:
    """The rows of the recipes, of both checkpoints and both parts."""
    return [
        without_epsilon(row)
        for run in finished
        for row in curve.read_rows(directory / run.folder / "report" / curve.ROWS)
    ]


def _setting(finished: Sequence[Run]) -> str:
    """The settings that all trainings share, in a sentence."""
    recipe = finished[0].recipe
    base = recipe.base
    seeds = ", ".join(str(run.seed) for run in finished)
    begin = "the weights of the round before" if recipe.warm_start else "random weights"
    if base.network.pretrained and not recipe.warm_start:
        begin = "pretrained weights"
    return (
        f"{base.data.name}, protocol {base.data.protocol}, {base.method.name}, "
        f"{base.data.height} x {base.data.width} px, {base.train.steps} steps of "
        f"{base.train.batch_labeled} labeled images in every round, from {begin}; seeds {seeds}, "
        "each with its own validation, test and start."
    )
