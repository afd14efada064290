"""A study of rounds of annotation: one recipe with several seeds.

The `get_config` of its configuration file returns a `Rounds`.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from uaps_jax import config as config_lib
from uaps_jax import configuration_files
from uaps_jax.config import ConfigError
from uaps_jax.recipes import stage
from uaps_jax.recipes.active import Active
from uaps_jax.study.kind import Study


@dataclasses.dataclass(slots=True, kw_only=True)
class Rounds(Study):
    """The strategies of a recipe of rounds, each seed with images of its own."""

    title: str  # of the report
    config: str  # the recipe, in the form of --config, such as configs/neu_active.py:small
    overrides: dict[str, Any]  # dotted keys of the recipe and their values
    # each is base.train.seed, and base.data.split_seed: val, test and the start are drawn anew
    seeds: tuple[int, ...] = dataclasses.field(
        metadata=config_lib.rule(
            lambda v: bool(v) and len(set(v)) == len(v), "must be different seeds"
        )
    )
    data_dir: str  # folder of the built datasets
    manual_dir: str  # folder of the raw data; "": downloads, in the working directory
    notes: tuple[str, ...]  # sentences of the report besides its own


class Run(NamedTuple):
    """A seed of a study.

    Attributes:
      seed: its number.
      recipe: with its settings.
      flags: that give this recipe.
    """

    seed: int
    recipe: Active
    flags: list[str]

    @property
    def folder(self) -> str:
        """Work directory of the recipe, relative to the study's."""
        return f"seed_{self.seed}"


def runs(study: Rounds, directory: Path) -> list[Run]:
    """The recipes of a study, checked.

    Raises:
      ConfigError: with what is wrong with the study or its recipe.
    """
    if problems := list(config_lib.value_problems(study)):
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"the study cannot be run:\n{lines}")
    return [_run(study, seed, directory) for seed in study.seeds]


def _run(study: Rounds, seed: int, directory: Path) -> Run:
    recipe = configuration_files.load_section(study.config)
    if not isinstance(recipe, Active) or recipe.annotation != "simulated":
        raise ConfigError(
            f"config = {study.config!r}: must be a recipe of rounds whose annotation is simulated, "
            "such as configs/neu_active.py:small"
        )
    values: dict[str, Any] = {"base.data.data_dir": study.data_dir}
    if study.manual_dir:
        values["base.data.manual_dir"] = study.manual_dir
    values |= study.overrides
    values |= {"base.train.seed": seed, "base.data.split_seed": seed}
    configuration_files.override(recipe, values)
    flags = [f"--config={study.config}", *(f"--config.{k}={v}" for k, v in values.items())]
    run = Run(seed, recipe, flags)
    stage.checked(recipe, directory / run.folder)
    return run
