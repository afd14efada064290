"""Figures of a study, drawn from the results of its trainings."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from uaps_jax import compiler, methods
from uaps_jax.config import DataConfig
from uaps_jax.data import order, prepare, source
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.models import cost
from uaps_jax.reports import equivalence as equivalence_lib
from uaps_jax.reports import tables
from uaps_jax.reports.equivalence import Equivalence
from uaps_jax.reports.study_figures import bars, decoders, equivalence, lines, panels
from uaps_jax.study import budgets
from uaps_jax.study.cells import Cell
from uaps_jax.study.grid import Bars, Decoders, Figure, Grid, LabelEquivalence, Lines, Panels
from uaps_jax.study.outcome import Outcome
from uaps_jax.study.rows import rows_of, without_epsilon
from uaps_jax.training import checkpoints

TIMED_CALLS = 30
WARMUP_CALLS = 3


def draw(
    grid: Grid, figure: Figure, outcomes: Sequence[Outcome], directory: Path, target: Path
) -> bool:
    """Draws a figure from the finished trainings; returns False if none of them belongs to it.

    Args:
      grid: its checkpoint and the first of its metrics are used.
      figure: to draw.
      outcomes: of the study.
      directory: of the study.
      target: the PNG file.
    """
    which, metric = grid.checkpoint, grid.metrics[0]
    done = [o for o in outcomes if o.result is not None and o.cell.dataset == figure.dataset]
    if isinstance(figure, Lines):
        return _lines(figure, done, which, metric, target)
    if isinstance(figure, LabelEquivalence):
        return _equivalence(grid, figure, done, target)
    budget = budgets.text(figure.budget)
    here = [o for o in done if o.cell.budget == budget and o.cell.entry in figure.entries]
    here.sort(key=lambda o: figure.entries.index(o.cell.entry))
    if not here:
        return False
    if isinstance(figure, Bars):
        values = {name: _scores(here, name, which, metric) for name in figure.entries}
        bars.draw(figure.title, f"{metric}, %", values, target)
    elif isinstance(figure, Decoders):
        rows = [_decoder(name, here, which, metric, directory) for name in figure.entries]
        drawn = [row for row in rows if row is not None]
        decoders.draw(figure.title, f"{metric}, %", drawn, target)
    else:
        _panels(figure, here, metric, directory, target)
    return True


def _scores(
    outcomes: Sequence[Outcome], entry: str, which: str, metric: str, predictor: str = ""
) -> list[float]:
    """The scores of an entry, one for each seed; empty if it does not have the predictor."""
    scores_of_seeds = []
    for outcome in outcomes:
        assert outcome.result is not None
        others = outcome.result["other_predictors"]
        scores = others.get(predictor, {}) if predictor else outcome.result["scores"]
        values = scores.get(which)
        if outcome.cell.entry == entry and values is not None and values[metric] is not None:
            scores_of_seeds.append(float(without_epsilon(values)[metric]))
    return scores_of_seeds


def _lines(
    figure: Lines, outcomes: Sequence[Outcome], which: str, metric: str, target: Path
) -> bool:
    series: dict[str, list[tuple[float, Sequence[float]]]] = {}
    shown: dict[float, list[Mapping[str, Any]]] = {}
    for name, points in figure.series.items():
        line: list[tuple[float, Sequence[float]]] = []
        for x, entry, budget in points:
            wanted = (budgets.text(budget), entry)
            here = [o for o in outcomes if (o.cell.budget, o.cell.entry) == wanted]
            scores = _scores(here, entry, which, metric)
            if scores:
                line.append((x, scores))
                shown.setdefault(x, []).extend(rows_of(here, which))
        if line:
            series[name] = line
    if series:
        counts = {x: tables.labeled_text(rows) for x, rows in shown.items()}
        if len(set(counts.values())) == 1:  # the horizontal axis is another setting
            counts = {}
        lines.draw(figure.title, figure.x_label, f"{metric}, %", series, target, counts=counts)
    return bool(series)


def equivalences(
    grid: Grid, figure: LabelEquivalence, rows: Sequence[Mapping[str, Any]]
) -> list[Equivalence]:
    """The label equivalences of a figure, from the rows of its study."""
    here = [row for row in rows if row["dataset"] == figure.dataset]
    return equivalence_lib.equivalences(here, figure.entries, grid.metrics[0], grid.baseline)


def _equivalence(
    grid: Grid, figure: LabelEquivalence, outcomes: Sequence[Outcome], target: Path
) -> bool:
    metric = grid.metrics[0]
    rows = rows_of(outcomes, grid.checkpoint, grid.metrics)
    found = equivalences(grid, figure, rows)
    shown = {name: _by_labels(rows, name, metric) for name in (grid.baseline, *figure.entries)}
    if found:
        equivalence.draw(figure.title, f"{metric}, %", shown, found, target)
    return bool(found)


def _by_labels(
    rows: Sequence[Mapping[str, Any]], entry: str, metric: str
) -> dict[float, list[float]]:
    """Labeled images of a budget, their geometric mean -> the scores of an entry's runs."""
    of_budget: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["entry"] == entry and not tables.is_missing(row[metric]):
            of_budget.setdefault(row["budget"], []).append(row)
    return {
        statistics.geometric_mean(row["labeled"] for row in here): [row[metric] for row in here]
        for here in of_budget.values()
    }


def _decoder(
    name: str, outcomes: Sequence[Outcome], which: str, metric: str, directory: Path
) -> decoders.DecoderRow | None:
    """Scores, parameters, operations and inference times of an entry; None if it has no result."""
    mine = [o for o in outcomes if o.cell.entry == name]
    if not mine:
        return None
    workdir = directory / mine[0].cell.folder
    step = checkpoints.find_step(workdir, "latest")
    config = checkpoints.read_config(workdir, step)
    method = methods.build(config)
    network = method.predictor("").network
    size = (1, config.data.height, config.data.width, config.data.channels)
    image = jax.ShapeDtypeStruct(size, np.float32)
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    variables = checkpoints.restore_variables(workdir, step, like)
    times = {
        predictor_name: milliseconds(
            compiler.jit_optimized(predictor), variables, np.zeros(size, np.uint8)
        )
        for predictor_name, predictor in method.predictors.items()
    }
    result = mine[0].result
    assert result is not None
    return decoders.DecoderRow(
        name=name,
        main=_scores(mine, name, which, metric),
        ensemble=_scores(mine, name, which, metric, "ensemble"),
        parameters=result["parameters"],
        macs=cost.macs(lambda v, x: network.all_logits(v, x, None), network.shapes(), image),
        main_ms=times["main"],
        ensemble_ms=times.get("ensemble"),
    )


def milliseconds(function: Any, *arguments: Any) -> float:
    """Median time of a call until its result is ready; the warm-up calls compile the function."""
    for _ in range(WARMUP_CALLS):
        jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(TIMED_CALLS):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))


def _panels(
    figure: Panels, outcomes: Sequence[Outcome], metric: str, directory: Path, target: Path
) -> None:
    """Draws masks by the best checkpoint of the first training of each entry, with its score, on
    evenly spaced test images."""
    first: dict[str, Outcome] = {}
    for outcome in outcomes:
        first.setdefault(outcome.cell.entry, outcome)
    cell = next(iter(first.values())).cell
    dataset = source.open_dataset(cell.config.data)
    record = checkpoints.read_record(
        directory / cell.folder, checkpoints.find_step(directory / cell.folder, "latest")
    )
    pool = _chosen(dataset, record, cell, figure.images)
    predictions: Mapping[str, np.ndarray] = {
        scored_name(outcome, metric): np.stack(
            [
                _mask(directory / outcome.cell.folder, image, outcome.cell.config.data)
                for image in pool.names
            ]
        )
        for outcome in first.values()
    }
    panels.draw(
        figure.title,
        pool.images,
        pool.masks,
        predictions,
        pool.names,
        dataset.class_names,
        target,
    )


def scored_name(outcome: Outcome, metric: str) -> str:
    """The entry of a training and its score on the test part at the best checkpoint."""
    name = outcome.cell.entry
    scores = _scores([outcome], name, "best", metric)
    return name + "".join(f" ({metric} {score:.1f} %)" for score in scores)


def _chosen(dataset: Dataset, record: Mapping[str, Any], cell: Cell, count: int) -> Pool:
    names = record["test"]
    rows = order.evenly_spaced(len(names), count)
    return source.read(dataset, [names[row] for row in rows], cell.config.data)


def _mask(workdir: Path, name: str, data: DataConfig) -> np.ndarray:
    """The mask of a test image that the best checkpoint of a training predicted, as its input."""
    which = checkpoints.existing(workdir, "best")
    step = checkpoints.find_step(workdir, which)
    file = workdir / "predictions" / f"step_{step}" / "test" / "mask" / f"{name}.png"
    return prepare.mask(np.asarray(Image.open(file)), data)
