"""`result.json`: what a training came to, written when all of it is scored."""

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
"""Checkpoint, "latest" or "best" -> what it scored on test, as in `evaluations.jsonl`."""


def write(
    directory: Path,
    config: Config,
    record: Mapping[str, Any],
    parameters: int,
    scores: Scores,
    other_predictors: Mapping[str, Scores],
    warnings: Sequence[str],
) -> None:
    """Writes the result of a training that is finished.

    Args:
      directory: of the run.
      config: of the run.
      record: which data it saw (`data.protocols.record`).
      parameters: trainable ones.
      scores: of the predictor that the configuration evaluates.
      other_predictors: name of another predictor of the method -> its scores.
      warnings: of the watchdogs.
    """
    result = {
        "config": _settings(config),
        "data": digest(record),
        "parameters": parameters,
        "scores": _writable(scores),
        "other_predictors": {name: _writable(found) for name, found in other_predictors.items()},
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
    try:
        result: dict[str, Any] = json.loads((directory / FILE).read_text())
        known, asked = map(config_lib.migrated, (result["config"], _settings(config)))
        same = known == asked and result["data"] == data
        if not same or not set(CHECKPOINTS) <= result["scores"].keys():
            return None
        return result if "other_predictors" in result else _with_predictors_apart(result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _with_predictors_apart(result: dict[str, Any]) -> dict[str, Any]:
    """A result of before: what other predictors scored at the best checkpoint is among `scores`."""
    scores = result["scores"]
    apart = {name: {"best": found} for name, found in scores.items() if name not in CHECKPOINTS}
    own = {which: scores[which] for which in CHECKPOINTS}
    return result | {"scores": own, "other_predictors": apart}


def _writable(scores: Scores) -> dict[str, dict[str, Any]]:
    """The scores as JSON can hold them."""
    return {
        which: {
            key: workdir.finite_or_none(value) if isinstance(value, float) else value
            for key, value in record.items()
        }
        for which, record in scores.items()
    }


def digest(record: Mapping[str, Any]) -> str:
    """A few letters that stand for the data of a run."""
    lists = {key: value for key, value in record.items() if key != protocols.SIZES}
    text = json.dumps(lists, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _settings(config: Config) -> dict[str, Any]:
    """What the result depends on: all but where files are, and the number of classes if asked."""
    flat = config_lib.to_stored(config)
    left_out = (*workdir.MACHINE, "data.classes")
    settings = {key: value for key, value in flat.items() if key not in left_out}
    return dict(json.loads(json.dumps(settings)))
