"""The settings of a study: its entries, blocks of trainings, tables and figures.

The `get_config` of a study's configuration file returns a `Grid`.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from uaps_jax import config as config_lib
from uaps_jax.evaluation import binary
from uaps_jax.reports import tables
from uaps_jax.study.budgets import Budget
from uaps_jax.study.kind import Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the tables, or several of a recipe; with either a method or a configuration file.

    Attributes:
      method: name of a method; the configuration is the published `configs/<dataset>_<method>.py`
        if it exists, otherwise that of `configs/train.py`.
      config: any configuration file in the form of `--config`: a path, absolute or relative to the
        working directory, optionally with an argument after a colon. `{dataset}` and `{variant}`
        are replaced by the dataset of the block and the variant of the study. Without a colon, the
        argument is the variant. It may be that of a recipe.
      overrides: dotted keys and values that replace those of the configuration; of a recipe, its
        keys, such as `base.train.steps`. Overrides of the study are for the `base` of a recipe.
      stages: of a recipe, name of a row -> the training whose scores it has; if empty, the last
        training, in a row with the name of the entry.
    """

    method: str = ""
    config: str = ""
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)
    stages: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Trainings of every entry on every dataset with every budget, draw and seed.

    Attributes:
      entries: names of entries.
      datasets: names of datasets in `configs/train.py`, such as `neu`.
      budgets: how many images are labeled; if empty, that of the configuration.
      draws: values of `data.split_seed`, each with every seed; if empty, one a seed, by
        `Grid.split_follows_seed`. Under the protocol `grouped`, a draw has its own val and test.
      seeds: values of `train.seed`.
    """

    entries: tuple[str, ...]
    datasets: tuple[str, ...]
    budgets: tuple[Budget, ...] = ()
    draws: tuple[int, ...] = ()
    seeds: tuple[int, ...] = (0,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lines:
    """Scores as a function of a number, such as the labeled images or another setting.

    Attributes:
      title: of the figure.
      dataset: of the trainings in the figure.
      x_label: of the horizontal axis.
      series: name of a line -> its points (x, entry, budget).
    """

    title: str
    dataset: str
    x_label: str
    series: dict[str, tuple[tuple[float, str, Budget], ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Several entries on one dataset with one budget.

    Attributes:
      title: of the figure.
      dataset: of the trainings in the figure.
      budget: of these trainings.
      entries: names of entries, or of rows of a recipe, from left to right.
    """

    title: str
    dataset: str
    budget: Budget
    entries: tuple[str, ...]


class Bars(SideBySide):
    """Scores of several entries, such as those of an ablation."""


class Decoders(SideBySide):
    """Scores, parameters, operations and measured inference times of several networks."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panels(SideBySide):
    """The same test images, segmented by several entries.

    Attributes:
      images: number of images.
    """

    images: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelEquivalence:
    """Scores over the number of labels, and how many of them the baseline needs for the same.

    All budgets of the study with which the baseline and an entry were trained are used.

    Attributes:
      title: of the figure and the table.
      dataset: of the trainings.
      entries: names of entries that are compared with the baseline.
    """

    title: str
    dataset: str
    entries: tuple[str, ...]


Figure = Lines | Bars | Decoders | Panels | LabelEquivalence


@dataclasses.dataclass(slots=True, kw_only=True)
class Grid(Study):
    """A study of methods, budgets of labels and seeds."""

    title: str  # of the report
    entries: dict[str, Entry]  # by name
    blocks: tuple[Block, ...]  # the trainings; a training in two blocks runs once
    variant: str  # of the configuration files: "", "small" or "medium"
    overrides: dict[str, Any]  # dotted keys and values for all trainings
    # fraction of the steps that the ramps of entries with one take; 0: that of each entry
    ramp_share: float = dataclasses.field(metadata=config_lib.within(0, 1))
    # each seed draws labeled images of its own: data.split_seed = train.seed
    split_follows_seed: bool
    data_dir: str  # folder of the built datasets
    manual_dir: str  # folder of the raw data; "": downloads, in the working directory
    checkpoint: Literal["best", "latest"]  # that is reported; "best": on val
    metrics: tuple[str, ...]  # columns of the tables; the first is that of the figures
    baseline: str  # the row that the others are compared with, paired by draw and seed
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]  # sentences of the report besides its own
    # work directories of the trainings: "runs": runs/<dataset>/<entry>/<budget>/<run>; "entries":
    # <entry>, for a study with one training an entry
    folders: Literal["runs", "entries"]


METRICS = ("image_iou", "image_dice", "dataset_iou", "pixel_accuracy")
"""Beginnings of the metrics that a table can have."""

OF_IMAGES = (
    "clean_image_false_positive_rate",
    "auroc",
    "average_precision",
    "recall",
    "false_alarm_rate",
)
"""Further metrics: those of whole images, for data with good ones."""


def rows_of(name: str, entry: Entry) -> tuple[str, ...]:
    """The names of an entry's rows in the tables."""
    return tuple(entry.stages) or (name,)


def all_rows(grid: Grid) -> tuple[str, ...]:
    """The names of all rows, in the order of the tables."""
    return tuple(row for name, entry in grid.entries.items() for row in rows_of(name, entry))


def problems(grid: Grid) -> Iterator[str]:
    """What is wrong with a study apart from the configurations of its trainings, one line each."""
    yield from config_lib.value_problems(grid)
    for name, entry in grid.entries.items():
        if bool(entry.method) == bool(entry.config):
            yield f"entry {name!r}: must have either a method or a config"
    trained = {name for block in grid.blocks for name in block.entries}
    for name in sorted(trained - grid.entries.keys()):
        yield f"there is no entry {name!r}; choose one of {', '.join(grid.entries)}"
    rows = all_rows(grid)
    for row, count in Counter(rows).items():
        if count > 1:
            yield f"{count} entries have the row {row!r}; rename it"
    for name in sorted({row for figure in grid.figures for row in entries_of(figure)} - {*rows}):
        yield f"there is no entry {name!r}; choose one of {', '.join(rows)}"
    if grid.baseline not in rows:
        yield f"baseline = {grid.baseline!r}: must be one of {', '.join(rows)}"
    yield from _budget_problems(grid)
    yield from _figure_problems(grid)
    if not grid.metrics:
        yield "metrics = (): must have at least one, such as image_iou"
    for name in grid.metrics:
        if not name.startswith(METRICS) and name not in (*OF_IMAGES, *binary.NAMES):
            known = ", ".join((*METRICS, *OF_IMAGES, *binary.NAMES))
            yield f"metrics: there is no {name!r}; choose from {known}"


def _figure_problems(grid: Grid) -> Iterator[str]:
    for figure in grid.figures:
        if not isinstance(figure, LabelEquivalence):
            continue
        if grid.baseline in figure.entries:
            yield f"figure {figure.title!r}: the baseline {grid.baseline!r} cannot be an entry"
        if grid.metrics and grid.metrics[0] in tables.LOWER_IS_BETTER:
            yield (
                f"figure {figure.title!r}: needs a metric that grows with the labels as the first "
                f"of metrics, not {grid.metrics[0]}"
            )


def _budget_problems(grid: Grid) -> Iterator[str]:
    for budget in dict.fromkeys(b for block in grid.blocks for b in block.budgets):
        is_count = isinstance(budget, int) and not isinstance(budget, bool)
        if not (budget >= 1 if is_count else isinstance(budget, float) and 0 < budget <= 1):
            yield (
                f"budgets: {budget!r} must be a number of images, from 1, or a fraction with a "
                "decimal point, above 0.0 and up to 1.0"
            )


def entries_of(figure: Figure) -> Sequence[str]:
    """The entries of a figure."""
    if isinstance(figure, Lines):
        return [entry for points in figure.series.values() for _, entry, _ in points]
    return figure.entries
