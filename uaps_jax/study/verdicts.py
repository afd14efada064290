"""The verdicts on the test images of a study, one row for each training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uaps_jax.reports.tables import is_missing

HEAD = ("training", "found", "95 %", "false alarms", "95 %", "AUROC", "95 %")
TITLE = "Verdicts on test images"
CAPTION = (
    "OK or not OK by the threshold that each training sets on its validation images. Found: "
    "defective images that are judged not OK; false alarms: good ones that are. Rates, AUROC and "
    "intervals (bootstrap over leakage groups) in percent."
)


def rows(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The cells of a table below `HEAD`, one row for each training that has a decision.

    Args:
      results: of `study.rows.rows_of`.
    """
    return [
        (
            f"{row['entry']} on {row['dataset']}, {row['budget']}, draw {row['split_seed']}, "
            f"seed {row['seed']}",
            _counted(row, "found", "defective_images"),
            _interval(row, "recall"),
            _counted(row, "false_alarms", "good_images"),
            _interval(row, "false_alarm_rate"),
            _percent(row.get("auroc")),
            _interval(row, "auroc"),
        )
        for row in results
        if "found" in row
    ]


def _counted(row: Mapping[str, Any], counted: str, of: str) -> str:
    return f"{row[counted]} of {row[of]}"


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return "n/a" if is_missing(low) or is_missing(high) else f"{low:.1f} to {high:.1f}"


def _percent(value: float | None) -> str:
    return "n/a" if is_missing(value) else f"{value:.2f}"
