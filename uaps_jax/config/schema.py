"""The configuration of a run and its validation.

A file in `configs/` builds a `Config`, absl flags override its fields, and `validate` checks the
result once and freezes it. Settings have no default values in code: the `config.json` of a run
lists all of them. Durations are counted in optimizer steps.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uaps_jax.config.checks import type_problems, value_problems
from uaps_jax.config.data import DataConfig
from uaps_jax.config.method import MethodConfig
from uaps_jax.config.network import NetworkConfig
from uaps_jax.config.optimizer import OptimizerConfig
from uaps_jax.config.section import ConfigError, Section, sections
from uaps_jax.config.training import CheckpointConfig, EvaluationConfig, TrainConfig
from uaps_jax.config.views import ViewsConfig


@dataclass(slots=True, kw_only=True)
class Config(Section):
    """All settings of a run."""

    data: DataConfig
    views: ViewsConfig
    network: NetworkConfig
    method: MethodConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    checkpoint: CheckpointConfig
    evaluation: EvaluationConfig


def validate(config: Config) -> Config:
    """Checks all settings of a configuration and freezes it.

    Args:
      config: the settings, after all overrides.

    Returns:
      The same object, frozen.

    Raises:
      ConfigError: with every problem, each as `key = value: what is wrong, what to do`.
    """
    problems = list(type_problems(config))
    if not problems:
        problems += value_problems(config)
        for section in sections(config):
            problems += section.problems(config)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"the configuration cannot be run:\n{lines}")
    config.freeze()
    return config


def with_classes(config: Config, names: Sequence[str]) -> Config:
    """The configuration with the number of classes of the dataset.

    Args:
      config: `data.classes` is that number or 0.
      names: of the classes of the dataset.

    Raises:
      ConfigError: `data.classes` is another number.
    """
    if config.data.classes not in (0, len(names)):
        raise ConfigError(
            f"data.classes = {config.data.classes}: {config.data.name} has {len(names)} classes "
            f"({', '.join(names)})"
        )
    data = replace(config.data, classes=len(names))
    return validate(replace(config, data=data))
