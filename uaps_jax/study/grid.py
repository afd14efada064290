"""What a study consists of: its trainings, its tables, its figures.

A study is a configuration file like that of one training; its `get_config` returns a `Grid`.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from uaps_jax import config as config_lib
from uaps_jax import configuration_files
from uaps_jax.config import Config, ConfigError, Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One competitor: a row of the tables; it has a method or a configuration.

    Attributes:
      method: its configuration is `configs/<dataset>_<method>.py`, where there is that file of
        published settings, or that of `configs/train.py`.
      config: a configuration file of anybody, as `--config` takes it: a path, absolute or relative
        to the working directory, and an argument behind a colon. `{dataset}` and `{variant}` in it
        stand for those of the block and of the study. Without a colon, the argument is the variant.
      overrides: dotted keys and values that differ from that configuration.
    """

    method: str = ""
    config: str = ""
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Trainings: every entry on every dataset at every ratio with every seed.

    Attributes:
      entries: names of entries.
      datasets: as `configs/train.py` names them, `neu`, `synthetic`.
      ratios: `data.labeled_ratio`; empty leaves the configuration's.
      seeds: `train.seed`.
    """

    entries: tuple[str, ...]
    datasets: tuple[str, ...]
    ratios: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lines:
    """Score against a number: label efficiency, or a sweep over a setting.

    Attributes:
      title: over the figure.
      dataset: which trainings are shown.
      x_label: of the horizontal axis.
      series: name of a line -> its points (x, entry, ratio).
    """

    title: str
    dataset: str
    x_label: str
    series: dict[str, tuple[tuple[float, str, float], ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Several entries on one dataset at one ratio.

    Attributes:
      title: over the figure.
      dataset: which trainings are shown.
      ratio: likewise, `data.labeled_ratio`.
      entries: names of entries, from left to right.
    """

    title: str
    dataset: str
    ratio: float
    entries: tuple[str, ...]


class Bars(SideBySide):
    """Scores, as of an ablation."""


class Decoders(SideBySide):
    """Score, parameters, operations and measured inference time of several networks."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panels(SideBySide):
    """The same test images, segmented by several entries.

    Attributes:
      images: how many images.
    """

    images: int


Figure = Lines | Bars | Decoders | Panels


@dataclasses.dataclass(slots=True, kw_only=True)
class Grid(Section):
    """A study."""

    title: str  # over the report
    entries: dict[str, Entry]  # the competitors by name
    blocks: tuple[Block, ...]  # who is trained where; a training in two blocks runs once
    variant: str  # of the configuration files: "", "small" or "medium"
    overrides: dict[str, Any]  # dotted keys and values for all trainings alike
    # ratio of the steps that every ramp takes; 0: what each method's own takes
    ramp_share: float = dataclasses.field(metadata=config_lib.within(0, 1))
    split_follows_seed: bool  # each seed draws labeled images of its own (data.split_seed)
    data_dir: str  # folder of the built datasets
    manual_dir: str  # folder of the raw data; "": downloads, in the working directory
    checkpoint: Literal["best", "latest"]  # which one is reported; the best is so on validation
    metrics: tuple[str, ...]  # columns of the tables; figures show the first
    baseline: str  # the entry that the others are compared with, seed by seed
    figures: tuple[Figure, ...]  # what is drawn
    # trainings at once, each on a device of its own where there are several
    workers: int = dataclasses.field(metadata=config_lib.at_least(1))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One training of a study.

    Attributes:
      dataset, entry, ratio, seed: where it stands; ratio is `data.labeled_ratio`.
      file: configuration file with its argument, as for `--config`.
      overrides: dotted keys and values, all of them.
      config: the validated configuration.
    """

    dataset: str
    entry: str
    ratio: float
    seed: int
    file: str
    overrides: dict[str, Any]
    config: Config

    @property
    def folder(self) -> Path:
        """Its work directory, relative to the study's."""
        entry = "".join(c if c.isalnum() or c in "-_." else "_" for c in self.entry)
        return Path("runs", self.dataset, entry, f"ratio_{self.ratio:g}", f"seed_{self.seed}")


def cells(grid: Grid) -> list[Cell]:
    """All trainings of a study, each once, in the order of its blocks.

    Raises:
      ConfigError: with every problem of the study and of its configurations.
    """
    problems = list(_problems(grid))
    by_folder: dict[Path, Cell] = {}
    for block in () if problems else grid.blocks:
        for dataset in block.datasets:
            for ratio in block.ratios or (None,):
                for seed in block.seeds:
                    for name in block.entries:
                        try:
                            cell = _cell(grid, dataset, name, ratio, seed)
                        except ConfigError as error:
                            problems.append(f"{name} on {dataset}: {error}")
                            continue
                        other = by_folder.setdefault(cell.folder, cell)
                        if flags(other) != flags(cell) or other.entry != cell.entry:
                            problems.append(
                                f"entries {other.entry!r} and {cell.entry!r} would share the "
                                f"folder {cell.folder}; rename one"
                            )
    problems += _unfair(grid, list(by_folder.values()))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in dict.fromkeys(problems))
        raise ConfigError(f"the study cannot be run:\n{lines}")
    return list(by_folder.values())


def _cell(grid: Grid, dataset: str, name: str, ratio: float | None, seed: int) -> Cell:
    entry = grid.entries[name]
    file = _file(entry, dataset, grid.variant)
    config = configuration_files.load_config(file)
    overrides: dict[str, Any] = {"data.data_dir": grid.data_dir, "train.seed": seed} | COMPARABLE
    if grid.manual_dir:
        overrides["data.manual_dir"] = grid.manual_dir
    overrides |= grid.overrides
    if grid.split_follows_seed:
        overrides["data.split_seed"] = seed
    if ratio is not None:
        overrides["data.labeled_ratio"] = ratio
    overrides |= entry.overrides
    configuration_files.override(config, overrides)
    if grid.ramp_share or "train.steps" in overrides:
        before = config_lib.flatten(config.method, "method.")
        share = grid.ramp_share or type(config.method).ramp_share
        config.method.scale_ramps(config.train.steps, share)
        after = config_lib.flatten(config.method, "method.")
        scaled = {key: value for key, value in after.items() if before[key] != value}
        overrides = scaled | overrides
        configuration_files.override(config, overrides)
    config_lib.validate(config)
    return Cell(
        dataset=dataset,
        entry=name,
        ratio=config.data.labeled_ratio,
        seed=seed,
        file=file,
        overrides=overrides,
        config=config,
    )


def _file(entry: Entry, dataset: str, variant: str) -> str:
    """The configuration of an entry on a dataset, as for `--config`."""
    if entry.config:
        file = entry.config.replace("{dataset}", dataset).replace("{variant}", variant)
        return f"{file}:{variant}" if variant and ":" not in entry.config else file
    published = f"configs/{dataset}_{entry.method}.py"
    if configuration_files.exists(configuration_files.find(published)):
        return f"{published}:{variant}" if variant else published
    file = f"configs/train.py:dataset={dataset},method={entry.method}"
    return f"{file},variant={variant}" if variant else file


COMMON = ("train.", "data.", "optimizer.schedule", "optimizer.plateau_", "optimizer.poly_")
"""Settings that all trainings of a table share, unless an entry says otherwise."""

COMPARABLE = {"data.labeled_group_copies": "exclude"}
"""What holds for all trainings of a study, unless its overrides or an entry's say otherwise."""

OF_THE_SEED = ("train.seed", "data.split_seed")
METRICS = ("image_iou", "image_dice", "dataset_iou", "pixel_accuracy")  # and what begins so
CLEAN = "clean_image_false_positive_rate"


def _unfair(grid: Grid, cells: Sequence[Cell]) -> Iterator[str]:
    """What differs between trainings that stand in one table, and was not declared by an entry."""
    tables: dict[tuple[str, float], list[Cell]] = {}
    for cell in cells:
        tables.setdefault((cell.dataset, cell.ratio), []).append(cell)
    for (dataset, ratio), row in tables.items():
        values: dict[str, dict[str, Any]] = {}
        for cell in row:
            flat = config_lib.flatten(cell.config)
            for key in _compared(grid, cell):
                values.setdefault(key, {})[cell.entry] = flat[key]
        for key, by_entry in values.items():
            if len({str(value) for value in by_entry.values()}) > 1:
                listed = ", ".join(f"{value} for {entry}" for entry, value in by_entry.items())
                yield (
                    f"{dataset} at ratio {ratio:g}: {key} is {listed}; set it in the study's "
                    "overrides for all, or in the overrides of the entries that are to differ"
                )


def _compared(grid: Grid, cell: Cell) -> Iterator[str]:
    """The settings of a training that have to be those of the others."""
    schedule = cell.config.optimizer.schedule
    for key in config_lib.flatten(cell.config):
        idle = [name for name in ("plateau", "poly") if name != schedule]
        if (
            key.startswith(COMMON)
            and not key.startswith(tuple(f"optimizer.{name}_" for name in idle))
            and key not in OF_THE_SEED
            and key not in grid.entries[cell.entry].overrides
        ):
            yield key


def flags(cell: Cell) -> list[str]:
    """The flags that make this training's configuration."""
    return [f"--config={cell.file}", *(f"--config.{k}={v}" for k, v in cell.overrides.items())]


def _problems(grid: Grid) -> Iterator[str]:
    yield from config_lib.value_problems(grid)
    for name, entry in grid.entries.items():
        if bool(entry.method) == bool(entry.config):
            yield f"entry {name!r}: needs a method or a config, and not both"
    named = {name for block in grid.blocks for name in block.entries}
    for figure in grid.figures:
        named |= set(shown(figure))
    for name in sorted(named - grid.entries.keys()):
        yield f"there is no entry {name!r}; there are {', '.join(grid.entries)}"
    if grid.baseline not in grid.entries:
        yield f"baseline = {grid.baseline!r}: must be one of {', '.join(grid.entries)}"
    if not grid.metrics:
        yield "metrics = (): name at least one, such as image_iou"
    for name in grid.metrics:
        if not name.startswith(METRICS) and name != CLEAN:
            yield f"metrics: there is no {name!r}; there are {', '.join((*METRICS, CLEAN))}"


def shown(figure: Figure) -> Sequence[str]:
    """The entries of a figure."""
    if isinstance(figure, Lines):
        return [entry for points in figure.series.values() for _, entry, _ in points]
    return figure.entries
