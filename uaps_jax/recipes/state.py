"""How far each stage of a recipe is, from its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from uaps_jax.recipes.record import Record
from uaps_jax.recipes.stage import Folders, Stage

DATA = "data"
"""The name of the recipe's data among the inputs of a stage."""

WEIGHTS = "network.pretrained"
"""The name of the initial weights of a training among its inputs."""


class State(NamedTuple):
    """How far a stage is.

    Attributes:
      kind: "done"; "not started"; "interrupted", it goes on where it stopped; "outdated", it has to
        run again; "waiting", for the stages in `reason`, whose files may change.
      reason: why; "" for those that are done or not started.
    """

    kind: Literal["done", "not started", "interrupted", "outdated", "waiting"]
    reason: str = ""


def states(
    stages: Sequence[Stage],
    records: Mapping[str, Record | None],
    folders: Folders,
    data: str,
    weights: Mapping[str, str],
) -> dict[str, State]:
    """Name -> state of each stage.

    Args:
      stages: of the recipe.
      records: of each stage, None if it has not been started.
      folders: of the stages.
      data: digest of the recipe's data.
      weights: of each training that begins with weights of a file, the digest of these.
    """
    found: dict[str, State] = {}
    for stage in stages:
        record = records[stage.name]
        unfinished = [name for name in stage.inputs if found[name].kind != "done"]
        if record is None:
            found[stage.name] = State("not started")
        elif reason := outdated(stage, record, records, unfinished, folders, data, weights):
            found[stage.name] = State("outdated", reason)
        elif unfinished:
            found[stage.name] = State("waiting", f"for {', '.join(unfinished)}")
        else:
            found[stage.name] = State("interrupted" if record.outputs is None else "done")
    return found


def inputs(
    stage: Stage, records: Mapping[str, Record | None], data: str, weights: Mapping[str, str]
) -> dict[str, str]:
    """Name -> digest of the inputs of a stage, all of which are done; other arguments: `states`."""
    of_stages = {name: record.digest for name in stage.inputs if (record := records[name])}
    return _of_files(stage, data, weights) | of_stages


def dependents(stages: Sequence[Stage], name: str) -> list[str]:
    """The stages that read files of a stage, or of one that does, in their order."""
    reached = {name}
    for stage in stages:
        if reached & set(stage.inputs):
            reached.add(stage.name)
    return [stage.name for stage in stages if stage.name in reached - {name}]


def outdated(
    stage: Stage,
    record: Record,
    records: Mapping[str, Record | None],
    unfinished: Sequence[str],
    folders: Folders,
    data: str,
    weights: Mapping[str, str],
) -> str:
    """Why the files of a stage are not those of its settings and inputs; "" if they are.

    Args:
      stage: of a recipe.
      record: of these files.
      records: of each stage of the recipe.
      unfinished: the inputs of the stage that are not done, whose files are not compared.
      folders: of the stages.
      data: digest of the recipe's data.
      weights: as for `states`.
    """
    old, new = (stage.compared(s) for s in (record.settings, stage.settings(folders)))
    if changes := _changes(old, new):
        return f"other settings: {changes}"
    if record.inputs.get(DATA) != data:
        return "other data: the images, the masks or the lists of the split changed"
    of_files = _of_files(stage, data, weights)
    if set(record.inputs) != {*of_files, *stage.inputs}:
        return "it has other inputs now"
    if record.inputs.get(WEIGHTS) != of_files.get(WEIGHTS):
        return f"other initial weights: the content of {WEIGHTS} changed"
    changed = [
        name
        for name in stage.inputs
        if name not in unfinished and record.inputs[name] != _digest_of(records[name])
    ]
    return f"other files of {', '.join(changed)}" if changed else ""


def _of_files(stage: Stage, data: str, weights: Mapping[str, str]) -> dict[str, str]:
    """The inputs of a stage that no stage wrote."""
    return {DATA: data} | ({WEIGHTS: weights[stage.name]} if stage.name in weights else {})


def _digest_of(record: Record | None) -> str:
    return "" if record is None or record.outputs is None else record.digest


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    shown = [f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}" for key in keys[:4]]
    return ", ".join(shown) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
