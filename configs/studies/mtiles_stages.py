"""Training in stages on the magnetic tiles: ST, ST++ and PPL, at a size that a CPU trains.

PPL's list of 137 labeled images (1/8) with three seeds; behind the colon `grouped`, as many leakage
groups with one labeled image each, and one seed. U-Net, 64 px, 4 + 4 images, 800 steps in each
training. The teacher, which ST++ and PPL share, learns the labeled images alone, 8 in a step.

    python run.py --config=configs/studies/mtiles_stages.py
    python run.py --config=configs/studies/mtiles_stages.py:grouped
"""

from uaps_jax.config import ConfigError
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Entry, Grid

STEPS = 800
LABELED = 137
ENTRIES = {
    "ST": Entry(
        config="configs/{dataset}_stpp.py",
        overrides={"student_steps": (STEPS,)},
        stages={"ST": "student"},
    ),
    "ST++": Entry(
        config="configs/{dataset}_stpp.py",
        stages={"supervised": "teacher", "ST++, one stage": "student_1", "ST++": "student_2"},
    ),
    "PPL": Entry(
        config="configs/{dataset}_ppl.py",
        stages={"PPL, one stage": "student_1", "PPL": "student_2"},
    ),
}
ROWS = ("supervised", "ST", "ST++, one stage", "ST++", "PPL, one stage", "PPL")


def get_config(protocol: str = "") -> Grid:
    """With the list of PPL, or `grouped`.

    Raises:
      ConfigError: another protocol.
    """
    if protocol not in ("", "grouped"):
        raise ConfigError(f"there is no {protocol!r}; leave it out, or choose grouped")
    grid = base.study("Magnetic tiles in stages, 1/8 labeled, 64 px, 800 steps", ENTRIES)
    grid.variant = "small"
    grid.ramp_share = 0.0
    if protocol:
        grid.overrides = {"data.protocol": protocol}
    seeds = (0,) if protocol else (0, 1, 2)
    grid.blocks = (Block(entries=tuple(ENTRIES), datasets=("mtiles",), seeds=seeds),)
    grid.metrics = ("dataset_iou", "dataset_iou_foreground", "image_iou", "pixel_accuracy")
    grid.figures = (Bars(title="Stages", dataset="mtiles", budget=LABELED, entries=ROWS),)
    return grid
