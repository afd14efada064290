"""OK or not OK at a size that a CPU trains: found defects and false alarms, three seeds.

Supervised learning and the method that is recommended for few labels (`methods.recommended`), each
with three draws of labels. The threshold is set on validation images for 5 % of false alarms.

    python run.py --config=configs/studies/decisions.py:synthetic
    python run.py --config=configs/studies/decisions.py:cracks --config.manual_dir=TILES
    python run.py --config=configs/studies/decisions.py:mtiles --config.manual_dir=FOLDER

- `synthetic`: the embedded data set, 64 labeled images of 512.
- `cracks`: CrackForest in tiles of 64 px at full scale, split by photograph, one labeled tile a
  photograph; `python -m benchmarks.crack_tiles` writes TILES.
- `mtiles`: magnetic tiles with their good ones, split by tile, one labeled exposure a tile.
"""

from typing import Any

from uaps_jax.config import ConfigError
from uaps_jax.configs.parts.active import SMALL_WIDTHS
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Block, Entry, Grid

STEPS = 1500
RECOMMENDED = "recommended"
SETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "synthetic": (
        "synthetic surfaces, 64 labeled images",
        "synthetic",
        {"data.labeled_ratio": 64 / 512},
    ),
    "cracks": (
        "tiles of CrackForest, one labeled a photograph",
        "folder",
        {"data.folder.group": "^(.+)_"},
    ),
    "mtiles": (
        "magnetic tiles with good ones, one labeled exposure a tile",
        "mtiles",
        {"data.name": "mtiles/all", "data.protocol": "grouped", "data.labeled_ratio": 1.0},
    ),
}
"""Argument -> words for the title, dataset, settings."""


def get_config(chosen: str = "") -> Grid:
    """The study of one data set.

    Raises:
      ConfigError: there is no such data set.
    """
    if chosen not in SETS:
        raise ConfigError(f"there is no data set {chosen!r}; choose one of {', '.join(SETS)}")
    title, dataset, settings = SETS[chosen]
    entries = {
        "supervised": Entry(
            config="configs/train.py:dataset={dataset},method=supervised,variant={variant}"
        ),
        RECOMMENDED: Entry(config="configs/train.py:dataset={dataset},variant={variant}"),
    }
    grid = base.study(f"OK or not OK: {title}", entries)
    grid.variant = "small"
    grid.overrides = {
        "network.widths": SMALL_WIDTHS,
        "train.steps": STEPS,
        "train.eval_every": STEPS // 3,
        "checkpoint.every": STEPS // 3,
        **settings,
    }
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.metrics = ("auroc", "average_precision", "recall", "false_alarm_rate", "image_iou")
    grid.blocks = (Block(entries=tuple(entries), datasets=(dataset,), seeds=(0, 1, 2)),)
    return grid
