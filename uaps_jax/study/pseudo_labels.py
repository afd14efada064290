"""How good the pseudo-labels of the recipes of a study are, over their runs.

The passes of a recipe compare pseudo-labels with those masks that there are (`recipes.quality`).
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uaps_jax.recipes import label, rank, record
from uaps_jax.recipes.stage import Stage
from uaps_jax.study.outcome import Outcome

METRICS = ("dataset_iou", "dataset_iou_foreground", "image_iou")
HEAD = ("recipe", "pass", "pseudo-labels of", "images with masks", "runs", *METRICS)
TITLE = "Pseudo-labels"
CAPTION = (
    "Percent; scores of pseudo-labels against the masks of their images, which training does not "
    "use; the mean ± the sample standard deviation over the runs. The pass that ranks scores those "
    "of the network's own size, without test-time augmentation."
)


class Quality(NamedTuple):
    """The quality of the pseudo-labels that a pass made.

    Attributes:
      stage: name of the pass.
      model: name of the training whose pseudo-labels they are.
      part: of the ranking, "all" without one.
      scores: of `recipes.quality`.
    """

    stage: str
    model: str
    part: str
    scores: Mapping[str, Any]


def of_recipe(folder: Path, stages: Sequence[Stage]) -> Iterator[Quality]:
    """What the passes of a recipe found, in the order of their folders' names.

    Args:
      folder: of the recipe.
      stages: of the recipe.
    """
    for name in sorted(stage.folder for stage in stages):
        here = folder / name
        found = record.read(here)
        if found is None or found.outputs is None:
            continue
        settings = found.settings
        if label.QUALITY in found.outputs:
            scores = json.loads((here / label.QUALITY).read_text())
            parts = {settings["part"] or "all": scores}
        elif rank.SUMMARY in found.outputs:
            parts = json.loads((here / rank.SUMMARY).read_text()).get("quality") or {}
        else:
            continue
        for part, scores in parts.items():
            if scores is not None:
                yield Quality(name, settings["model"], part, scores)


def rows(outcomes: Sequence[Outcome], directory: Path) -> list[tuple[str, ...]]:
    """The cells of a table below `HEAD`, one row for each kind of pseudo-labels.

    Args:
      outcomes: of the study.
      directory: of the study.
    """
    recipes = dict.fromkeys(o.recipe for o in outcomes if o.recipe is not None)
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for cell in recipes:
        assert cell.recipe is not None
        name = f"{cell.entry} on {cell.dataset}, {cell.budget}"
        for one in of_recipe(directory / cell.folder, cell.recipe.stages()):
            key = (name, one.stage, f"{one.part}, by {one.model}")
            found.setdefault(key, []).append(one.scores)
    return [(*key, *_cells(scores)) for key, scores in found.items()]


def _cells(runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    counts = sorted({run["images"] for run in runs})
    images = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return (images, str(len(runs)), *(_mean([run[metric] for run in runs]) for metric in METRICS))


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "n/a"
    mean = f"{statistics.fmean(known):.2f}"
    return mean if len(known) == 1 else f"{mean} ± {statistics.stdev(known):.2f}"
