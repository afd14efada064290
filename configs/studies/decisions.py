"""OK or not OK at a size that a CPU trains: found defects and false alarms, three seeds.

Supervised learning and the method that is recommended for few labels (`methods.recommended`), each
with three draws of labels. The threshold is set on validation images for 5 % of false alarms.

    python run.py --config=configs/studies/decisions.py
    python run.py --config=configs/studies/decisions.py:cracks --config.manual_dir=TILES
    python run.py --config=configs/studies/decisions.py:mtiles --config.manual_dir=FOLDER

- `synthetic`, which is taken where none is named: the embedded data set, 64 labeled images of 512.
- `cracks`: CrackForest in tiles of 64 px at full scale, split by photograph, 30 labeled tiles of as
  many photographs; `python -m benchmarks.crack_tiles` writes TILES.
- `mtiles`: magnetic tiles with their good ones, split by tile, 120 labeled images of as many
  tiles, EfficientNet-Lite0 with its pretrained weights (extra `pretrained`), which learns at 3e-4,
  its decoder at 1e-3.

Other exposures of labeled tiles are unlabeled images; other tiles of labeled photographs are in no
part. The first two data sets have a U-Net of half the widths.
"""

from typing import Any

from uaps_jax.config import ConfigError
from uaps_jax.configs.parts.active import SMALL_WIDTHS
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Block, Entry, Grid

STEPS = 1500
RECOMMENDED = "recommended"
SETS: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "synthetic": ("synthetic surfaces", "synthetic", 64, {"network.widths": SMALL_WIDTHS}),
    "cracks": (
        "tiles of CrackForest",
        "folder",
        30,
        {"data.folder.group": "^(.+)_", "network.widths": SMALL_WIDTHS},
    ),
    "mtiles": (
        "magnetic tiles with good ones",
        "mtiles",
        120,
        {
            "data.name": "mtiles/all",
            "data.protocol": "grouped",
            "data.labeled_group_copies": "unlabeled",
            "optimizer.learning_rate": 3e-4,
            "optimizer.decoder_multiple": 10 / 3,
        },
    ),
}
"""Argument -> words for the title, dataset, labeled images, settings."""


def get_config(chosen: str = "synthetic") -> Grid:
    """The study of one data set; without an argument that which needs no download.

    Raises:
      ConfigError: there is no such data set.
    """
    if chosen not in SETS:
        raise ConfigError(f"there is no data set {chosen!r}; choose one of {', '.join(SETS)}")
    title, dataset, labeled, settings = SETS[chosen]
    network = "efficientnet_lite0" if chosen == "mtiles" else "unet"
    usual = f"configs/train.py:dataset={{dataset}},network={network},variant={{variant}}"
    entries = {
        "supervised": Entry(config=f"{usual},method=supervised"),
        RECOMMENDED: Entry(config=usual),
    }
    grid = base.study(f"OK or not OK: {title}, {labeled} labeled", entries)
    grid.variant = "small"
    grid.overrides = {
        "train.steps": STEPS,
        "train.eval_every": STEPS // 3,
        "checkpoint.every": STEPS // 3,
        **settings,
    }
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.metrics = ("auroc", "average_precision", "recall", "false_alarm_rate", "image_iou")
    grid.blocks = (
        Block(entries=tuple(entries), datasets=(dataset,), budgets=(labeled,), seeds=(0, 1, 2)),
    )
    return grid
