"""OK or not OK at a size that a CPU trains: found defects and false alarms, three seeds.

Supervised learning and the method that is recommended for few labels (`methods.recommended`), each
with three draws of labels. The threshold is set on validation images for 5 % of false alarms.

    python run.py --config=configs/studies/decisions.py
    python run.py --config=configs/studies/decisions.py:cracks --config.manual_dir=TILES
    python run.py --config=configs/studies/decisions.py:mtiles --config.manual_dir=FOLDER

- `synthetic`, which is taken where none is named: the embedded data set, 64 labeled images of 512.
- `cracks`: CrackForest in tiles of 64 px at full scale, split by photograph, 30 labeled tiles of as
  many photographs; `python -m benchmarks.crack_tiles` writes TILES.
- `mtiles`: magnetic tiles with their good ones, all kinds of defects as one class, split by tile,
  120 labeled images of as many tiles, 128 px, EfficientNet-Lite0 with its pretrained weights (extra
  `pretrained`), which learns at 3e-4, its decoder at 3e-3.

Other exposures of labeled tiles are unlabeled images; other tiles of labeled photographs are in no
part. The first two data sets have a U-Net of half the widths.
"""

from typing import Any, NamedTuple

from uaps_jax.configs.parts import choices
from uaps_jax.configs.parts.networks import HALF_WIDTHS
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Block, Entry, Grid


class Data(NamedTuple):
    """A data set of the study.

    Attributes:
      title: what the report calls it.
      dataset: its name in `configs/train.py`.
      labeled: number of labeled images.
      network: its name in `configs/train.py`.
      steps: of a training.
      settings: that differ from those of the short run.
    """

    title: str
    dataset: str
    labeled: int
    network: str
    steps: int
    settings: dict[str, Any]


SETS = {
    "synthetic": Data(
        title="synthetic surfaces",
        dataset="synthetic",
        labeled=64,
        network="unet",
        steps=1500,
        settings={"network.widths": HALF_WIDTHS},
    ),
    "cracks": Data(
        title="tiles of CrackForest",
        dataset="folder",
        labeled=30,
        network="unet",
        steps=1500,
        settings={"data.folder.group": "^(.+)_", "network.widths": HALF_WIDTHS},
    ),
    "mtiles": Data(
        title="magnetic tiles with good ones",
        dataset="mtiles",
        labeled=120,
        network="efficientnet_lite0",
        steps=1000,
        settings={
            "data.name": "mtiles/all_merged",
            "data.classes": 2,
            "data.protocol": "grouped",
            "data.labeled_group_copies": "unlabeled",
            "data.height": 128,
            "data.width": 128,
            "optimizer.learning_rate": 3e-4,
            "optimizer.decoder_multiple": 10.0,
            "evaluation.selection": "dice_and_auroc",
        },
    ),
}


def get_config(chosen: str = "synthetic") -> Grid:
    """The study of one data set; without an argument that which needs no download.

    Raises:
      ConfigError: there is no such data set.
    """
    choices.require("data set", chosen, SETS)
    data = SETS[chosen]
    usual = f"configs/train.py:dataset={{dataset}},network={data.network},variant={{variant}}"
    entries = {
        "supervised": Entry(config=f"{usual},method=supervised"),
        "recommended": Entry(config=usual),
    }
    grid = base.study(f"OK or not OK: {data.title}, {data.labeled} labeled", entries)
    grid.variant = "small"
    grid.overrides = {
        "train.steps": data.steps,
        "train.eval_every": data.steps // 3,
        "checkpoint.every": data.steps // 3,
        **data.settings,
    }
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.metrics = ("auroc", "average_precision", "recall", "false_alarm_rate", "image_iou")
    grid.blocks = (
        Block(
            entries=tuple(entries),
            datasets=(data.dataset,),
            budgets=(data.labeled,),
            seeds=(0, 1, 2),
        ),
    )
    return grid
