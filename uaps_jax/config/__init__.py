"""The settings of a run: their types, ranges and meanings, their checks, and their stored form."""

from uaps_jax.config.checks import check, one_of, value_problems
from uaps_jax.config.data import DataConfig, FolderConfig
from uaps_jax.config.flat import (
    Absent,
    Difference,
    check_key,
    describe,
    differences,
    flatten,
)
from uaps_jax.config.method import (
    METHODS,
    Form,
    MethodConfig,
    RampedConfig,
    TeacherMode,
    paired_batch_problems,
)
from uaps_jax.config.network import NETWORKS, NetworkConfig
from uaps_jax.config.optimizer import OptimizerConfig
from uaps_jax.config.rules import (
    above,
    at_least,
    below_one,
    each,
    fraction,
    low_high,
    probability,
    rule,
    within,
)
from uaps_jax.config.schema import Config, validate, with_classes
from uaps_jax.config.section import ConfigError, Section, assign, lookup, require_types, sections
from uaps_jax.config.stored import from_flat, from_stored, migrated, to_json, to_stored
from uaps_jax.config.training import (
    Aim,
    CheckpointConfig,
    DecisionConfig,
    EvaluationConfig,
    ScoreKind,
    Selection,
    TrainConfig,
)
from uaps_jax.config.views import PhotometricConfig, ViewConfig, ViewsConfig

__all__ = [
    "METHODS",
    "NETWORKS",
    "Absent",
    "Aim",
    "CheckpointConfig",
    "Config",
    "ConfigError",
    "DataConfig",
    "DecisionConfig",
    "Difference",
    "EvaluationConfig",
    "FolderConfig",
    "Form",
    "MethodConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "PhotometricConfig",
    "RampedConfig",
    "ScoreKind",
    "Section",
    "Selection",
    "TeacherMode",
    "TrainConfig",
    "ViewConfig",
    "ViewsConfig",
    "above",
    "assign",
    "at_least",
    "below_one",
    "check",
    "check_key",
    "describe",
    "differences",
    "each",
    "flatten",
    "fraction",
    "from_flat",
    "from_stored",
    "lookup",
    "low_high",
    "migrated",
    "one_of",
    "paired_batch_problems",
    "probability",
    "require_types",
    "rule",
    "sections",
    "to_json",
    "to_stored",
    "validate",
    "value_problems",
    "with_classes",
    "within",
]
