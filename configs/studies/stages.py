"""Training in stages: ST, ST++ and PPL, at a size that a CPU trains, three seeds.

    python run.py --config=configs/studies/stages.py:neu
    python run.py --config=configs/studies/stages.py:neu,grouped
    python run.py --config=configs/studies/stages.py:mtiles
    python run.py --config=configs/studies/stages.py:mtiles,grouped

The first word is the dataset; its labeled images are PPL's list of 1/8: 453 of NEU-Seg, 137 of the
magnetic tiles. With `grouped`, which needs a work directory of its own, one image each of 30
leakage groups is labeled, and each seed draws them anew; of the magnetic tiles, the other
photographs of a labeled tile are unlabeled ones. The trainings are those of the small variants of
`configs/neu_stpp.py` and the others; the teacher, which all share, learns the labeled images alone,
and is trained once a seed. In `PPL, balanced` the easy images are half of each kind (the setting
`balanced`): in PPL they may be those without a defect.
"""

from typing import Any, NamedTuple

from uaps_jax.configs.parts import choices, ppl
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
ARGUMENTS = tuple(word for name in SETS for word in (name, f"{name},{GROUPED}"))


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
    """A dataset, with the list of PPL or with a comma and `grouped`.

    Raises:
      ConfigError: another dataset or protocol.
    """
    choices.require("argument", argument, ARGUMENTS)
    dataset, _, protocol = argument.partition(",")
    data = SETS[dataset]
    labeled = GROUPED_COUNT if protocol else data.listed.labeled["1_8"]
    of_what = "one of a leakage group" if protocol else "PPL's list"
    small = data.listed.small
    title = f"{data.title}, {small.size} px, in stages, {labeled} labeled images, {of_what}"
    entries = _entries(small.steps)
    grid = base.study(title, entries)
    grid.variant = "small"
    grid.ramp_share = 0.0
    grouped: dict[str, Any] = {
        "data.protocol": GROUPED,
        "data.labeled_count": labeled,
        "data.labeled_group_copies": data.copies,
    }
    every = small.steps // 2
    grid.overrides = {"train.eval_every": every, **(grouped if protocol else {})}
    grid.split_follows_seed = bool(protocol)
    grid.checkpoint = "latest"
    # All seeds of an entry, then the next one: two that run together would both train a teacher.
    grid.blocks = tuple(
        Block(entries=(name,), datasets=(dataset,), seeds=(0, 1, 2)) for name in entries
    )
    grid.metrics = ("dataset_iou", "dataset_iou_foreground", "image_iou", "pixel_accuracy")
    grid.figures = (Bars(title="Stages", dataset=dataset, budget=labeled, entries=ROWS),)
    return grid
