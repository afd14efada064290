"""The trainings and recipes of a study: their settings, and the check that they are comparable."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import configuration_files
from uaps_jax.config import Config, ConfigError
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.stage import Recipe, Training
from uaps_jax.study import budgets
from uaps_jax.study.budgets import Budget
from uaps_jax.study.grid import Entry, Grid, problems

SHARED = ("train.", "data.", "optimizer.schedule", "optimizer.plateau_", "optimizer.poly_")
"""Beginnings of settings that must be equal in a table, unless an entry overrides them."""

BASE = "base."
"""What the keys of the settings that the trainings of a recipe share begin with."""

OF_SEED = ("train.seed", "data.split_seed")
"""Exceptions of `SHARED`, which differ between the seeds of an entry."""

DEFAULT_OVERRIDES = {"data.labeled_group_copies": "exclude"}
"""Overrides of all trainings, unless the study or an entry has others."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One training of a study, or a recipe with several.

    Attributes:
      dataset: as in its block.
      entry: name of its entry.
      budget: the setting that decides how many images are labeled (`budgets.of`).
      draw: `data.split_seed`.
      seed: `train.seed`.
      folder: its work directory, relative to the study's; a draw that is not the usual one of the
        seed is part of its name.
      file: configuration file with its argument, as for `--config`.
      overrides: all dotted keys and values that differ from the file, or may differ.
      config: the validated configuration; of a recipe, its base.
      recipe: None for a training.
      rows: of a recipe, name of a row of the tables -> the training whose scores it has.
    """

    dataset: str
    entry: str
    budget: str
    draw: int
    seed: int
    folder: Path
    file: str
    overrides: dict[str, Any]
    config: Config
    recipe: Recipe | None = None
    rows: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def run(self) -> str:
        """Its draw of labels and its seed in words."""
        return f"draw {self.draw}, seed {self.seed}"


def cells(grid: Grid) -> list[Cell]:
    """All trainings of a study without repetitions, in the order of its blocks.

    Raises:
      ConfigError: with every problem of the study and of its configurations.
    """
    found = list(problems(grid))
    by_folder: dict[Path, Cell] = {}
    for dataset, name, budget, draw, seed in () if found else _combinations(grid):
        try:
            cell = _cell(grid, dataset, name, budget, draw, seed)
        except ConfigError as error:
            found.append(f"{name} on {dataset}: {error}")
            continue
        if str(cell.folder).strip(".") in ("", *OWN_FOLDERS):
            found.append(f"entry {name!r}: this is the name of a folder of the study; rename it")
        other = by_folder.setdefault(cell.folder, cell)
        same = (cell.config, cell.recipe) == (other.config, other.recipe)
        if not same or other.entry != cell.entry:
            found.append(
                f"two trainings of {other.entry!r} and {cell.entry!r} have the same folder "
                f"{cell.folder}; rename an entry, or set folders = 'runs'"
            )
    runs = Counter((c.dataset, c.entry, c.budget, c.draw, c.seed) for c in by_folder.values())
    found += [
        f"{entry} on {dataset}, {budget}: several trainings with draw {draw} and seed {seed}"
        for (dataset, entry, budget, draw, seed), count in runs.items()
        if count > 1
    ]
    found += _differences(grid, list(by_folder.values()))
    if found:
        lines = "\n".join(f"  {problem}" for problem in dict.fromkeys(found))
        raise ConfigError(f"the study cannot be run:\n{lines}")
    return list(by_folder.values())


def flags(cell: Cell) -> list[str]:
    """The flags that give the configuration of a training."""
    return [f"--config={cell.file}", *(f"--config.{k}={v}" for k, v in cell.overrides.items())]


def _combinations(grid: Grid) -> Iterator[tuple[str, str, Budget | None, int | None, int]]:
    """Dataset, entry, budget, draw and seed of every training; None: not given by the block."""
    for block in grid.blocks:
        for dataset in block.datasets:
            for budget in block.budgets or (None,):
                for draw in block.draws or (None,):
                    for seed in block.seeds:
                        for name in block.entries:
                            yield dataset, name, budget, draw, seed


def _cell(
    grid: Grid, dataset: str, name: str, budget: Budget | None, draw: int | None, seed: int
) -> Cell:
    entry = grid.entries[name]
    file = _file(entry, dataset, grid.variant)
    settings = configuration_files.load_section(file)
    recipe = settings if isinstance(settings, Recipe) else None
    config = settings.base if isinstance(settings, Recipe) else settings
    if not isinstance(config, Config):
        raise ConfigError(f"{file}: get_config must return a Config or a recipe")
    overrides: dict[str, Any] = {"data.data_dir": grid.data_dir, "train.seed": seed}
    overrides |= DEFAULT_OVERRIDES
    if grid.manual_dir:
        overrides["data.manual_dir"] = grid.manual_dir
    overrides |= grid.overrides
    usual = overrides.get("data.split_seed", config.data.split_seed)
    if grid.split_follows_seed:
        usual = seed
    overrides["data.split_seed"] = usual if draw is None else draw
    if budget is not None:
        overrides |= budgets.overrides(budget)
    if recipe is not None:
        overrides = {f"{BASE}{key}": value for key, value in overrides.items()} | entry.overrides
        configuration_files.override(recipe, overrides)
        rows = _rows(name, entry, recipe)
        return Cell(
            **_place(grid, dataset, name, recipe.base, seed, usual),
            file=file,
            overrides=overrides,
            config=recipe.base,
            recipe=recipe,
            rows=rows,
        )
    if entry.stages:
        raise ConfigError("stages: only an entry with the configuration of a recipe has stages")
    overrides |= entry.overrides
    usual_share = config.method.share_of_ramps(config.train.steps)
    configuration_files.override(config, overrides)
    if grid.ramp_share or "train.steps" in overrides:
        before = config_lib.flatten(config.method, "method.")
        share = (grid.ramp_share or usual_share) if usual_share else 0.0
        config.method.scale_ramps(config.train.steps, share)
        after = config_lib.flatten(config.method, "method.")
        scaled = {key: value for key, value in after.items() if before[key] != value}
        overrides = scaled | overrides
        configuration_files.override(config, overrides)
    config_lib.validate(config)
    return Cell(
        **_place(grid, dataset, name, config, seed, usual),
        file=file,
        overrides=overrides,
        config=config,
    )


def _rows(name: str, entry: Entry, recipe: Recipe) -> dict[str, str]:
    """Name of a row -> the training of a recipe whose scores it has.

    Raises:
      ConfigError: the recipe cannot be run, or it has no such training.
    """
    stages = stage_lib.checked(recipe, Path())
    trainings = [stage.name for stage in stages if isinstance(stage, Training)]
    if not trainings:
        raise ConfigError("the recipe has no training")
    rows = dict(entry.stages) or {name: trainings[-1]}
    for row, stage in rows.items():
        if stage not in trainings:
            raise ConfigError(
                f"stages: the row {row!r} is of the training {stage!r}; choose one of "
                f"{', '.join(trainings)}"
            )
    return rows


def _place(
    grid: Grid, dataset: str, name: str, config: Config, seed: int, usual_draw: int
) -> dict[str, Any]:
    """What a cell is called and where it is."""
    draw = config.data.split_seed
    of_draw = f"draw_{draw}_" if draw != usual_draw else ""
    return {
        "dataset": dataset,
        "entry": name,
        "budget": budgets.of(config.data),
        "draw": draw,
        "seed": seed,
        "folder": Path(_plain(name))
        if grid.folders == "entries"
        else _folder(dataset, name, config, of_draw),
    }


def _folder(dataset: str, name: str, config: Config, draw: str) -> Path:
    budget = _plain(budgets.of(config.data).removeprefix("labeled_"))
    return Path("runs", dataset, _plain(name), budget, f"{draw}seed_{config.train.seed}")


OWN_FOLDERS = ("figures", "compiled", "runs")
"""Of the study itself."""


def _plain(name: str) -> str:
    """A name as a folder, with "_" for what a file system may not take."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


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


def _differences(grid: Grid, cells: Sequence[Cell]) -> Iterator[str]:
    """A line for each shared setting with several values in a table that no entry overrides."""
    tables: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        tables.setdefault((cell.dataset, cell.budget), []).append(cell)
    for (dataset, budget), table in tables.items():
        values: dict[str, dict[str, Any]] = {}
        for cell in table:
            flat = config_lib.flatten(cell.config)
            for key in _shared_keys(grid, cell):
                values.setdefault(key, {})[cell.entry] = flat[key]
        for key, by_entry in values.items():
            if len({str(value) for value in by_entry.values()}) > 1:
                listed = ", ".join(f"{value} for {entry}" for entry, value in by_entry.items())
                yield (
                    f"{dataset}, {budget}: {key} is {listed}; set it in the study's "
                    "overrides for all entries, or in the overrides of the entries that are to "
                    "differ"
                )


def _shared_keys(grid: Grid, cell: Cell) -> Iterator[str]:
    """The settings of a training that must be those of the other trainings in its table."""
    schedule, base = cell.config.optimizer.schedule, "" if cell.recipe is None else BASE
    unused = tuple(f"optimizer.{name}_" for name in ("plateau", "poly") if name != schedule)
    for key in config_lib.flatten(cell.config):
        if (
            key.startswith(SHARED)
            and not key.startswith(unused)
            and key not in OF_SEED
            and f"{base}{key}" not in grid.entries[cell.entry].overrides
        ):
            yield key
