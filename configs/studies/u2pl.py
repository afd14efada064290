"""What U2PL adds, and its contrastive loss, at a size that a CPU trains; three seeds.

Supervised learning, Mean Teacher, U2PL without its contrastive loss, and U2PL; the same steps and
optimizer for all, scores of the last step. Each seed has labels of its own. The warm-up of U2PL is
a third of the steps: with a tenth, on NEU-Seg, up to a quarter of the steps behind it had no anchor
of the class inclusion.

    python run.py --config=configs/studies/u2pl.py --config.manual_dir=FOLDER
    python run.py --config=configs/studies/u2pl.py:cracks --config.manual_dir=FOLDER

- `neu`, which is taken where none is named: NEU-Seg at 32 px, one labeled image of each of 30
  leakage groups, four classes. The teacher's entropies are compared with one percentile.
- `cracks`: CrackForest in crops of 64 px at full scale, 16 labeled photographs, two classes, with
  a percentile for each predicted one. Whole photographs are scored, in tiles.
"""

import dataclasses
from typing import NamedTuple

from uaps_jax.configs.parts import choices, small_runs
from uaps_jax.configs.parts.small_runs import SmallRun
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Block, Entry, Grid

COMPARED = ("supervised", "Mean Teacher", "U2PL, no contrast", "U2PL")
"""Names of `base.METHODS`."""


class Data(NamedTuple):
    """A dataset of the study.

    Attributes:
      title: what the report calls it.
      dataset: its name in `configs/train.py`.
      labeled: number of labeled images.
      run: of each training.
      metrics: of the report.
    """

    title: str
    dataset: str
    labeled: int
    run: SmallRun
    metrics: tuple[str, ...]


SETS = {
    "neu": Data(
        title="NEU-Seg",
        dataset="neu",
        labeled=30,
        run=small_runs.NEU,
        metrics=("image_iou", "image_dice", "dataset_iou", "dataset_iou_foreground"),
    ),
    "cracks": Data(
        title="CrackForest",
        dataset="crackforest",
        labeled=16,
        run=small_runs.CRACKS._replace(steps=600, batch=4),
        metrics=(
            "dataset_iou_foreground",
            "dataset_precision",
            "dataset_recall",
            "dataset_f1",
            "dataset_f1_2px",
        ),
    ),
}


def get_config(chosen: str = "neu") -> Grid:
    """The study of one dataset.

    Raises:
      ConfigError: there is no such dataset.
    """
    choices.require("dataset", chosen, SETS)
    data = SETS[chosen]
    entries = _entries(data.run.steps)
    grid = base.of_draws(f"U2PL on {data.title}, {data.labeled} labeled", entries)
    grid.variant = "small"
    grid.overrides = {
        "data.protocol": "grouped",
        "train.eval_every": data.run.steps,
        "checkpoint.every": data.run.steps,
        **base.short(data.run),
    }
    grid.metrics = data.metrics
    grid.blocks = (
        Block(
            entries=tuple(entries),
            datasets=(data.dataset,),
            budgets=(data.labeled,),
            seeds=(0, 1, 2),
        ),
    )
    return grid


def _entries(steps: int) -> dict[str, Entry]:
    """The entries; U2PL's with the warm-up of the study."""
    entries = {name: base.METHODS[name] for name in COMPARED}
    warm_up = {"method.warm_up": steps // 3}
    return {
        name: dataclasses.replace(entry, overrides=entry.overrides | warm_up)
        if entry.method == "u2pl"
        else entry
        for name, entry in entries.items()
    }
