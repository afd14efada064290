"""Supervised learning and the recommended method on your own images, three draws of labels.

    python run.py --config=configs/studies/folder.py --config.manual_dir=FOLDER

FOLDER is that of `docs/how_to/own_images.md`. U-Net at 64 px, 4 + 4 images, 3000 steps of Adam at
1e-3 with a cosine to 0; both predict with an average of their weights, by the checkpoint that is
best on validation. Of the images with a mask half are labels, a quarter is for validation and a
quarter for the test; each seed divides them anew. After the colon, `medium` trains with 8 + 8
images.
"""

from typing import Any

from uaps_jax.configs.parts import choices
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Grid, Panels

VARIANTS = ("small", "medium")


def get_config(argument: str = "small") -> Grid:
    """The study with the batch of a variant.

    Raises:
      ConfigError: there is no such variant.
    """
    choices.require("variant", argument, VARIANTS)
    entries = {"supervised": base.METHODS["supervised, EMA"], "recommended": base.RECOMMENDED}
    grid = base.study("Supervised learning and the recommended method, own images", entries)
    grid.variant = argument
    grid.overrides = {
        "data.shares": (0.5, 0.25, 0.25),
        "data.labeled_group_copies": "unlabeled",
        "train.steps": 3000,
        "train.eval_every": 300,
        "checkpoint.every": 300,
    }
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.workers = 2
    names = tuple(entries)
    grid.blocks = tuple(
        Block(entries=names, datasets=("folder",), seeds=(seed,)) for seed in (0, 1, 2)
    )
    here: dict[str, Any] = {"dataset": "folder", "budget": 1.0, "entries": names}
    grid.figures = (
        Bars(title="Three draws", **here),
        Panels(title="Test images", images=6, **here),
    )
    return grid
