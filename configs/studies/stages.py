"""Training in stages: ST, ST++ and PPL, at a size that a CPU trains, three seeds.

    python run.py --config=configs/studies/stages.py:neu
    python run.py --config=configs/studies/stages.py:neu,grouped
    python run.py --config=configs/studies/stages.py:mtiles
    python run.py --config=configs/studies/stages.py:mtiles,grouped

The first word is the dataset, with PPL's list of 1/8 labeled images: 453 of NEU-Seg, 137 of the
magnetic tiles. With `grouped` one image each of 30 leakage groups of NEU-Seg is labeled, or of 137
of the magnetic tiles, and each seed draws them anew. The trainings are those of the small variants
of `configs/neu_stpp.py` and the others, 1500 steps each; the teacher, which ST++ and PPL share,
learns the labeled images alone.
"""

from typing import Any, NamedTuple

from uaps_jax.config import ConfigError
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Entry, Grid

ENTRIES = {
    "ST": Entry(
        config="configs/{dataset}_stpp.py",
        overrides={"student_steps": (1500,)},
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
GROUPED = "grouped"


class Data(NamedTuple):
    """A dataset of the study: its title, and how many images are labeled in either protocol."""

    title: str
    listed: int
    grouped: int


SETS = {"neu": Data("NEU-Seg", 453, 30), "mtiles": Data("Magnetic tiles", 137, 137)}


def get_config(argument: str = "neu") -> Grid:
    """A dataset, with the list of PPL or with a comma and `grouped`.

    Raises:
      ConfigError: another dataset or protocol.
    """
    dataset, _, protocol = argument.partition(",")
    if dataset not in SETS or protocol not in ("", GROUPED):
        raise ConfigError(
            f"there is no {argument!r}; choose one of {', '.join(SETS)}, or one with ,{GROUPED}"
        )
    data = SETS[dataset]
    labeled = data.grouped if protocol else data.listed
    grid = base.study(f"{data.title} in stages, {labeled} labeled, {protocol or 'list'}", ENTRIES)
    grid.variant = "small"
    grid.ramp_share = 0.0
    grouped: dict[str, Any] = {"data.protocol": GROUPED, "data.labeled_count": labeled}
    grid.overrides = grouped if protocol else {}
    grid.split_follows_seed = bool(protocol)
    grid.checkpoint = "latest"
    grid.blocks = (Block(entries=tuple(ENTRIES), datasets=(dataset,), seeds=(0, 1, 2)),)
    grid.metrics = ("dataset_iou", "dataset_iou_foreground", "image_iou", "pixel_accuracy")
    grid.figures = (Bars(title="Stages", dataset=dataset, budget=labeled, entries=ROWS),)
    return grid
