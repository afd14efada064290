"""`result.json`: what a training came to, written when all of it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax.config import Config
from uaps_jax.training import workdir

FILE = "result.json"


def write(
    directory: Path, config: Config, parameters: int, scores: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes the result of a training that is finished.

    Args:
      directory: of the run.
      config: of the run.
      parameters: trainable ones.
      scores: "latest" and "best" -> the record of the test split, as in `evaluations.jsonl`; and
        those of the method's other predictors at the best checkpoint, by name.
    """
    clean = {
        which: {
            key: workdir.finite_or_none(value) if isinstance(value, float) else value
            for key, value in record.items()
        }
        for which, record in scores.items()
    }
    result = {"config": _settings(config), "parameters": parameters, "scores": clean}
    workdir.write_text(directory / FILE, json.dumps(result, indent=1) + "\n")


def read(directory: Path, config: Config) -> dict[str, Any] | None:
    """The result of a finished training of this configuration; None if there is none."""
    file = directory / FILE
    if not file.is_file():
        return None
    result: dict[str, Any] = json.loads(file.read_text())
    return result if result["config"] == _settings(config) else None


def _settings(config: Config) -> dict[str, Any]:
    """What the result depends on: all but where files are, and the number of classes if asked."""
    flat = config_lib.flatten(config)
    left_out = (*workdir.MACHINE, "data.classes")
    settings = {key: value for key, value in flat.items() if key not in left_out}
    return dict(json.loads(json.dumps(settings)))
