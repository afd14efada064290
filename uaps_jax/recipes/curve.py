"""The scores of the rounds: rows that every round hands on, and the pass that reports them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging

from uaps_jax import files
from uaps_jax.acquisition.cost import Cost, Work
from uaps_jax.config import ConfigError
from uaps_jax.recipes import candidates
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.reports import learning_curves, learning_page
from uaps_jax.reports.learning_curves import Question
from uaps_jax.training import results

ROWS, TABLE, PAGE, FIGURE = "rows.jsonl", "curve.csv", "report.html", "curve.png"

Row = dict[str, Any]
"""The scores of a training at a checkpoint on a part, with `entry`, `round`, `budget` and
`minutes`."""


def rows_of(run: Path, entry: str, number: int, labels: Path, cost: Cost) -> list[Row]:
    """The rows of a training of a round, one for each checkpoint and part, "test" and "val".

    A result of an older version has no scores on validation.

    Args:
      run: work directory of the training.
      entry: the strategy.
      number: of the round.
      labels: folder of the stage with its labels.
      cost: of annotation.
    """
    result = json.loads((run / results.FILE).read_text())
    minutes = cost.of_work(Work(*candidates.summary(labels)["work"]))
    return [
        {
            "entry": entry,
            "round": number,
            "budget": f"round {number}",
            "minutes": minutes,
            **scores[which],
            "checkpoint": which,
        }
        for scores in (result["scores"], result.get("val_scores"))
        if scores is not None
        for which in results.CHECKPOINTS
    ]


def require_metric(rows: Sequence[Row], metric: str) -> None:
    """Checks that all rows have a metric; those of an older version may lack a new one.

    Raises:
      ConfigError: some have not.
    """
    lacking = {f"{row['entry']}, round {row['round']}" for row in rows if metric not in row}
    if lacking:
        raise ConfigError(
            f"metric = {metric!r}: {len(lacking)} trainings, such as {min(lacking)}, were scored "
            "by an older version that did not have it: choose another metric, or run them again "
            "by --stage"
        )


def rows_before(folder: Path) -> list[Row]:
    """The rows of the rounds before the labels of a stage."""
    return read_rows(folder / ROWS) if (folder / ROWS).exists() else []


def read_rows(file: Path) -> list[Row]:
    """The rows of a file, one a line."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    files.write_text(folder / ROWS, "".join(json.dumps(row) + "\n" for row in rows))


def report(
    *,
    name: str,
    title: str,
    chains: Mapping[str, Sequence[tuple[str, str]]],
    question: Question,
    cost: Cost,
    notes: Sequence[str],
) -> Pass:
    """The scores of all rounds: `rows.jsonl`, `curve.csv`, `report.html` and `curve.png`.

    Args:
      name: of the stage, and its folder.
      title: of the page.
      chains: strategy -> its rounds, each the stage with the labels and that of the training.
      question: what the page answers.
      cost: of annotation.
      notes: further paragraphs of the page.
    """

    def write(place: Place) -> None:
        rows = [
            row
            for entry, rounds in chains.items()
            for number, (labels, model) in enumerate(rounds)
            for row in rows_of(place.inputs[model], entry, number, place.inputs[labels], cost)
        ]
        write_rows(place.folder, rows)
        require_metric(rows, question.metric)
        shown = [row for row in rows if row["checkpoint"] == question.checkpoint]
        of_test = [row for row in shown if row["part"] == "test"]
        files.write_text(place.folder / TABLE, table(of_test, question.metric))
        found = learning_curves.compare(shown, list(chains), question)
        learning_curves.draw(found, question, title, place.folder / FIGURE)
        page = learning_page.render(title, found, question, (FIGURE,), (), notes)
        files.write_text(place.folder / PAGE, page)
        for line in learning_curves.advice(found.fits, question):
            logging.info("%s", line)

    stages = dict.fromkeys(stage for rounds in chains.values() for both in rounds for stage in both)
    return Pass(
        name=name,
        folder=name,
        inputs=tuple(stages),
        options={
            "pass": "curve",
            "title": title,
            "question": question._asdict(),
            "cost": dataclasses.asdict(cost),
            "notes": list(notes),
        },
        write=write,
    )


def table(rows: Sequence[Row], metric: str) -> str:
    """The columns strategy, round, labeled images, their groups, minutes and the metric.

    Args:
      rows: the scores of a checkpoint on test.
      metric: of the last column.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["strategy", "round", "labeled", "labeled_groups", "minutes", metric])
    for row in rows:
        cells = (row["entry"], row["round"], row["labeled"], row["labeled_groups"])
        writer.writerow([*cells, repr(row["minutes"]), row[metric]])
    return text.getvalue()
