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


def write(
    directory: Path,
    config: Config,
    record: Mapping[str, Any],
    parameters: int,
    scores: Mapping[str, Mapping[str, Any]],
    warnings: Sequence[str],
) -> None:
    """Writes the result of a training that is finished.

    Args:
      directory: of the run.
      config: of the run.
      record: which data it saw (`data.protocols.record`).
      parameters: trainable ones.
      scores: "latest" and "best" -> the record of the test split, as in `evaluations.jsonl`; and
        those of the method's other predictors at the best checkpoint, by name.
      warnings: of the watchdogs.
    """
    clean = {
        which: {
            key: workdir.finite_or_none(value) if isinstance(value, float) else value
            for key, value in record.items()
        }
        for which, record in scores.items()
    }
    result = {
        "config": _settings(config),
        "data": digest(record),
        "parameters": parameters,
        "scores": clean,
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
        return result if same and {"latest", "best"} <= result["scores"].keys() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


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
