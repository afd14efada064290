"""Training in stages: ST, ST++ and PPL, at a size that a CPU trains, three seeds.

    python run.py --config=configs/studies/stages.py:neu
    python run.py --config=configs/studies/stages.py:neu,grouped
    python run.py --config=configs/studies/stages.py:mtiles
    python run.py --config=configs/studies/stages.py:mtiles,grouped
    python run.py --config=configs/studies/stages.py:folder --config.manual_dir=FOLDER
    python run.py --config=configs/studies/stages.py:folder,pretrained --config.manual_dir=FOLDER

The first word is the dataset; its labeled images are PPL's list of 1/8: 453 of NEU-Seg, 137 of the
magnetic tiles. With `grouped`, which needs a work directory of its own, one image each of 30
leakage groups is labeled, and each seed draws them anew; of the magnetic tiles, the other
photographs of a labeled tile are unlabeled ones. `folder` is your own images, which each seed
divides anew, half of them for training; all annotated ones of these are labeled. The trainings are
those of the small variants of `configs/neu_stpp.py` and the others, with `pretrained` those of this
variant; the teacher, which all share, learns the labeled images alone, and is trained once a seed.
In `PPL, balanced` the easy images are half of each kind (the setting `balanced`): in PPL they may
be those without a defect. On your own images, both recipes are balanced.
"""

from typing import Any, NamedTuple

from uaps_jax.configs.parts import choices, ppl, progressive, small_runs
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Entry, Grid

BALANCED = "PPL, balanced"
ROWS = (
    "supervised",
    "ST",
    "ST++, one stage",
    "ST++",
    "PPL, one stage",
    "PPL",
    f"{BALANCED}, one stage",
    BALANCED,
)
GROUPED = "grouped"
GROUPED_COUNT = 30
FOLDER = "folder"


class Data(NamedTuple):
    """A dataset of the study.

    Attributes:
      title: what the report calls it.
      listed: its published setting, which has the list.
      copies: what the other images of a labeled group are under the protocol `grouped`.
    """

    title: str
    listed: ppl.Setting
    copies: str


SETS = {
    "neu": Data("NEU-Seg", ppl.NEU, "exclude"),
    "mtiles": Data("Magnetic tiles", ppl.MTILES, "unlabeled"),
}
OF_FOLDER = {FOLDER: "small", f"{FOLDER},{progressive.PRETRAINED}": progressive.PRETRAINED}
"""Argument -> variant of the recipes of your own images."""

ARGUMENTS = (*(word for name in SETS for word in (name, f"{name},{GROUPED}")), *OF_FOLDER)


def _entries(steps: int) -> dict[str, Entry]:
    return {
        "ST": Entry(
            config="configs/{dataset}_stpp.py",
            overrides={"student_steps": (steps,)},
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
        BALANCED: Entry(
            config="configs/{dataset}_ppl.py",
            overrides={"balanced": True},
            stages={f"{BALANCED}, one stage": "student_1", BALANCED: "student_2"},
        ),
    }


def get_config(argument: str = "neu") -> Grid:
    """A dataset, with the list of PPL or with a comma and `grouped`; or your own images.

    Raises:
      ConfigError: another dataset or protocol.
    """
    choices.require("argument", argument, ARGUMENTS)
    if argument in OF_FOLDER:
        return _of_folder(OF_FOLDER[argument])
    dataset, _, protocol = argument.partition(",")
    data = SETS[dataset]
    labeled = GROUPED_COUNT if protocol else data.listed.labeled["1_8"]
    of_what = "one of a leakage group" if protocol else "PPL's list"
    small = data.listed.small
    title = f"{data.title}, {small.size} px, in stages, {labeled} labeled images, {of_what}"
    grid = _grid(title, dataset, _entries(small.steps), small.steps, labeled)
    grid.split_follows_seed = bool(protocol)
    if protocol:
        grid.overrides["data.protocol"] = GROUPED
        grid.overrides["data.labeled_count"] = labeled
        grid.overrides["data.labeled_group_copies"] = data.copies
    return grid


def _of_folder(variant: str) -> Grid:
    """Your own images, in the trainings of a variant."""
    steps = small_runs.USUAL.steps
    entries = {name: entry for name, entry in _entries(steps).items() if name != BALANCED}
    grid = _grid(f"Your own images, in stages, {variant}", FOLDER, entries, steps, 1.0)
    grid.variant = variant
    grid.split_follows_seed = True
    grid.overrides["data.shares"] = (0.5, 0.25, 0.25)
    grid.overrides["data.labeled_group_copies"] = "unlabeled"
    return grid


def _grid(title: str, dataset: str, entries: dict[str, Entry], steps: int, budget: float) -> Grid:
    """What the studies share; the budget is that of the figure."""
    grid = base.study(title, entries)
    grid.variant = "small"
    grid.ramp_share = 0.0
    grid.overrides = {"train.eval_every": steps // 2}
    grid.checkpoint = "latest"
    # All seeds of an entry, then the next one: two that run together would both train a teacher.
    grid.blocks = tuple(
        Block(entries=(name,), datasets=(dataset,), seeds=(0, 1, 2)) for name in entries
    )
    grid.metrics = ("dataset_iou", "dataset_iou_foreground", "image_iou", "pixel_accuracy")
    trained = {row for entry in entries.values() for row in entry.stages}
    rows = tuple(row for row in ROWS if row in trained)
    here: dict[str, Any] = {"dataset": dataset, "budget": budget}
    grid.figures = (Bars(title="Stages", entries=rows, **here),)
    return grid
