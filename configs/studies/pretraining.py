"""What an encoder pretrained on ImageNet is worth on steel: NEU-Seg, 30 annotated pictures.

Protocol `grouped`, supervised learning, 1500 steps of Adam with a cosine to 0, 4 images a batch,
scores of the last step; each seed draws its own labeled images. The U-Net and the network with
random weights learn at 1e-3; a pretrained encoder at 1e-4, its decoder at 1e-3; of the frozen one,
the batch normalisations are frozen too.

    python run.py --config=configs/studies/pretraining.py

After the colon: `64` or `128` for one size of the images. It needs the extra `pretrained`.
"""

from typing import Any

from uaps_jax.configs.parts import choices
from uaps_jax.configs.studies import base
from uaps_jax.models.encoders import ENCODERS
from uaps_jax.study.grid import Bars, Block, Entry, Grid

SIZES = (64, 128)
LITE0 = (
    "configs/train.py:dataset={dataset},method=supervised,network=efficientnet_lite0,"
    "variant={variant}"
)
SLOW_ENCODER: dict[str, Any] = {
    "optimizer.learning_rate": 1e-4,
    "optimizer.decoder_multiple": 10.0,
}


def _entries(size: int) -> dict[str, Entry]:
    size_of_images = {"data.height": size, "data.width": size}
    return {
        f"U-Net, {size} px": Entry(method="supervised", overrides=size_of_images),
        f"Lite0, random, {size} px": Entry(
            config=LITE0, overrides={"network.pretrained": "", **size_of_images}
        ),
        f"Lite0, frozen, {size} px": Entry(
            config=LITE0, overrides={"network.frozen_levels": 5, **size_of_images}
        ),
        f"Lite0, fine-tuned, {size} px": Entry(
            config=LITE0, overrides=SLOW_ENCODER | size_of_images
        ),
    }


def get_config(size: str = "") -> Grid:
    """The study with all sizes, or with one.

    Raises:
      ConfigError: there is no such size.
    """
    if size:
        choices.require("size", size, map(str, SIZES))
    sizes = (int(size),) if size else SIZES
    entries = {name: entry for size in sizes for name, entry in _entries(size).items()}
    grid = base.study("NEU-Seg, 30 labeled pictures, pretrained encoder, 1500 steps", entries)
    grid.baseline = f"U-Net, {sizes[-1]} px"
    grid.variant = "small"
    grid.overrides = {
        "train.steps": 1500,
        "train.eval_every": 500,
        "checkpoint.every": 500,
        "data.protocol": "grouped",
        "data.mean": ENCODERS["efficientnet_lite0"].mean,
        "data.std": ENCODERS["efficientnet_lite0"].std,
    }
    grid.split_follows_seed = True
    grid.checkpoint = "latest"
    grid.workers = 2
    grid.blocks = tuple(
        Block(entries=tuple(entries), datasets=("neu",), budgets=(30,), seeds=(seed,))
        for seed in range(3)
    )
    grid.figures = (
        Bars(title="30 labeled pictures", dataset="neu", budget=30, entries=tuple(entries)),
    )
    return grid
