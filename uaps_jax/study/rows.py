"""The results of a study as rows, one for each finished training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uaps_jax import files
from uaps_jax.evaluation import metrics as metric_lib
from uaps_jax.study.outcome import Outcome


def rows_of(
    outcomes: Sequence[Outcome], checkpoint: str, metrics: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """One row per finished training: its settings, and the scores of a checkpoint.

    Args:
      outcomes: of the study.
      checkpoint: "best" or "latest".
      metrics: names that every row has; their values are None if the result does not have them.
    """
    rows = []
    for outcome in outcomes:
        if outcome.result is None:
            continue
        cell = outcome.cell
        rows.append(
            {
                "entry": cell.entry,
                **dict.fromkeys(metrics),
                "labeled_groups": None,  # for older results, which do not have it
                "budget": cell.budget,
                **without_epsilon(outcome.result["scores"][checkpoint]),
                "dataset": cell.dataset,
                "seed": cell.seed,
                "checkpoint": checkpoint,
                "steps": cell.config.train.steps,
                "batch_labeled": cell.config.train.batch_labeled,
                "schedule": cell.config.optimizer.schedule,
                "learning_rate": cell.config.optimizer.learning_rate,
                "eval_every": cell.config.train.eval_every,
                "height": cell.config.data.height,
                "width": cell.config.data.width,
                "dtype": cell.config.network.dtype,
                "parameters": outcome.result["parameters"],
            }
        )
    return rows


def without_epsilon(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores, with 0 for those that are positive only because of the metrics' epsilon."""
    return {
        name: 0.0 if isinstance(value, float) and value <= metric_lib.NO_OVERLAP else value
        for name, value in scores.items()
    }


def write_rows(outcomes: Sequence[Outcome], file: Path) -> None:
    """Writes the rows of both checkpoints as JSON lines."""
    lines = [
        json.dumps(row) + "\n" for which in ("latest", "best") for row in rows_of(outcomes, which)
    ]
    files.write_text(file, "".join(lines))
