"""The settings of a run: their types, ranges and meanings, their checks, and their stored form."""

from uaps_jax.config.checks import check, one_of, type_problems, value_problems
from uaps_jax.config.crf import CRFConfig
from uaps_jax.config.data import DataConfig, FolderConfig, TargetsConfig
from uaps_jax.config.flat import (
    Absent,
    Difference,
    check_key,
    describe,
    differences,
    flatten,
)
from uaps_jax.config.heads import Head
from uaps_jax.config.method import (
    METHODS,
    Form,
    MethodConfig,
    RampedConfig,
    TeacherMode,
)
from uaps_jax.config.network import NETWORKS, NetworkConfig
from uaps_jax.config.optimizer import OptimizerConfig
from uaps_jax.config.rough import RoughConfig
from uaps_jax.config.rules import (
    above,
    area_range,
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
    "CRFConfig",
    "CheckpointConfig",
    "Config",
    "ConfigError",
    "DataConfig",
    "DecisionConfig",
    "Difference",
    "EvaluationConfig",
    "FolderConfig",
    "Form",
    "Head",
    "MethodConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "PhotometricConfig",
    "RampedConfig",
    "RoughConfig",
    "ScoreKind",
    "Section",
    "Selection",
    "TargetsConfig",
    "TeacherMode",
    "TrainConfig",
    "ViewConfig",
    "ViewsConfig",
    "above",
    "area_range",
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
    "probability",
    "require_types",
    "rule",
    "sections",
    "to_json",
    "to_stored",
    "type_problems",
    "validate",
    "value_problems",
    "with_classes",
    "within",
]
