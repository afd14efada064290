"""`result.json`: the result of a finished training, written after its evaluation on test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import files
from uaps_jax.config import Config
from uaps_jax.data import protocols
from uaps_jax.training import workdir

FILE = "result.json"
CHECKPOINTS = ("latest", "best")

Scores = Mapping[str, Mapping[str, Any]]
"""Checkpoint, "latest" or "best" -> its scores on a part, as in `evaluations.jsonl`."""


def write(
    directory: Path,
    config: Config,
    record: Mapping[str, Any],
    parameters: int,
    scores: Scores,
    other_predictors: Mapping[str, Scores],
    val_scores: Scores,
    warnings: Sequence[str],
) -> None:
    """Writes the result of a finished training.

    Args:
      directory: of the run.
      config: of the run.
      record: of its data (`data.protocols.record`).
      parameters: number of parameters, frozen ones included.
      scores: of the predictor that the configuration evaluates, on test.
      other_predictors: name of another predictor of the method -> its scores, on test.
      val_scores: of the predictor that the configuration evaluates, on validation.
      warnings: of the run.
    """
    result = {
        "config": _settings(config),
        "data": digest(record),
        "parameters": parameters,
        "scores": _writable(scores),
        "other_predictors": {name: _writable(others) for name, others in other_predictors.items()},
        "val_scores": _writable(val_scores),
        "warnings": list(warnings),
    }
    files.write_text(directory / FILE, json.dumps(result, indent=1) + "\n")


def read(directory: Path, config: Config, data: str) -> dict[str, Any] | None:
    """The result of a finished training of this configuration on these data; None without one.

    Args:
      directory: of the run.
      config: of the run.
      data: `digest` of the record of its data.
    """
    result = read_file(directory)
    try:
        if result is None or result["data"] != data:
            return None
        stored, wanted = map(_compared, (result["config"], _settings(config)))
        return result if stored == wanted else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_file(directory: Path) -> dict[str, Any] | None:
    """The result of a finished training, whatever its configuration; None without one.

    Results of older versions have no `val_scores`.
    """
    try:
        result: dict[str, Any] = json.loads((directory / FILE).read_text())
        if not set(CHECKPOINTS) <= result["scores"].keys():
            return None
        return result if "other_predictors" in result else _upgraded(result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _upgraded(result: dict[str, Any]) -> dict[str, Any]:
    """A result of the older format, where `scores` has other predictors at the best checkpoint."""
    scores = result["scores"]
    others = {name: {"best": best} for name, best in scores.items() if name not in CHECKPOINTS}
    own = {which: scores[which] for which in CHECKPOINTS}
    return result | {"scores": own, "other_predictors": others}


def _writable(scores: Scores) -> dict[str, dict[str, Any]]:
    """The scores with None in place of numbers that JSON does not have."""
    return {
        which: {
            key: workdir.finite_or_none(value) if isinstance(value, float) else value
            for key, value in values.items()
        }
        for which, values in scores.items()
    }


def digest(record: Mapping[str, Any]) -> str:
    """A digest of the data of a run, 16 hexadecimal digits."""
    lists = {key: value for key, value in record.items() if key not in protocols.ABOUT}
    text = json.dumps(lists, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _compared(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings in their present form, without those that have no effect on a result."""
    flat = config_lib.migrated(stored)
    ignored = workdir.ignored_settings(flat)
    return {key: value for key, value in flat.items() if key not in ignored}


def _settings(config: Config) -> dict[str, Any]:
    """The settings that the result depends on: without those of the machine and `data.classes`."""
    flat = config_lib.to_stored(config)
    left_out = (*workdir.MACHINE, "data.classes")
    settings = {key: value for key, value in flat.items() if key not in left_out}
    return dict(json.loads(json.dumps(settings)))
