"""The stages of a recipe as a table of text."""

from __future__ import annotations

from collections.abc import Sequence

from uaps_jax.recipes import record as records
from uaps_jax.recipes.run_recipe import Opened
from uaps_jax.recipes.stage import Training
from uaps_jax.training.progress import duration

HEADER = ("stage", "kind", "state", "folder", "files", "time", "finished", "reads")
NAMED = 4
"""Inputs of a stage that are named at most."""


def table(opened: Opened) -> str:
    """A line for each stage: its state, what it reads and writes, and how long it took."""
    rows: list[Sequence[str]] = [HEADER]
    for stage in opened.stages:
        record, state = opened.records[stage.name], opened.states[stage.name]
        reason = state.reason
        if record is not None and record.outputs is not None:
            changed = records.changed_by_hand(stage, opened.folders[stage.name], record)
            reason = f"{len(changed)} files changed by hand" if changed else reason
        rows.append(
            (
                stage.name,
                "training" if isinstance(stage, Training) else "pass",
                state.kind + (reason and f" ({reason})"),
                stage.folder,
                "" if record is None or record.outputs is None else str(len(record.outputs)),
                "" if record is None else duration(record.seconds),
                "" if record is None else record.finished,
                _named(stage.inputs) or "data",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _named(inputs: Sequence[str]) -> str:
    more = len(inputs) - NAMED
    return ", ".join([*inputs[:NAMED], *([f"{more} more"] if more > 0 else [])])
