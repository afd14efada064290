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
GROUPED_COUNT = 30


class Data(NamedTuple):
    """Images of the study and the trainings on them.

    Attributes:
      title: what the report calls them.
      dataset: its name in `configs/`.
      variant: of the recipes.
      small: the trainings of this variant.
      labeled: number of labeled images, or their share.
      settings: overrides of the base configuration.
      split_follows_seed: whether each seed divides the images anew.
      balanced: whether the recipes are balanced as they are, so that there is no other PPL.
    """

    title: str
    dataset: str
    variant: str
    small: small_runs.SmallRun
    labeled: float
    settings: dict[str, Any]
    split_follows_seed: bool
    balanced: bool


def _listed(title: str, dataset: str, published: ppl.Setting) -> Data:
    labeled = published.labeled[progressive.SHORT_LIST]
    return Data(
        title=f"{title}, {labeled} labeled images of PPL's list",
        dataset=dataset,
        variant="small",
        small=published.small,
        labeled=labeled,
        settings={},
        split_follows_seed=False,
        balanced=False,
    )


def _grouped(title: str, dataset: str, published: ppl.Setting, copies: str) -> Data:
    """With one labeled image in each of some leakage groups; the others are `copies`."""
    return _listed(title, dataset, published)._replace(
        title=f"{title}, {GROUPED_COUNT} labeled images, one of a leakage group",
        labeled=GROUPED_COUNT,
        settings={
            "data.protocol": "grouped",
            "data.labeled_count": GROUPED_COUNT,
            "data.labeled_group_copies": copies,
        },
        split_follows_seed=True,
    )


def _own(variant: str) -> Data:
    return Data(
        title="Your own images, all labeled ones",
        dataset="folder",
        variant=variant,
        small=progressive.OF_FOLDER[variant],
        labeled=1.0,
        settings={"data.shares": (0.5, 0.25, 0.25), "data.labeled_group_copies": "unlabeled"},
        split_follows_seed=True,
        balanced=True,
    )


DATA = {
    "neu": _listed("NEU-Seg", "neu", ppl.NEU),
    "neu,grouped": _grouped("NEU-Seg", "neu", ppl.NEU, copies="exclude"),
    "mtiles": _listed("Magnetic tiles", "mtiles", ppl.MTILES),
    "mtiles,grouped": _grouped("Magnetic tiles", "mtiles", ppl.MTILES, copies="unlabeled"),
    "folder": _own("small"),
    "folder,pretrained": _own(progressive.PRETRAINED),
}


def get_config(argument: str = "neu") -> Grid:
    """The study on the images of this name in `DATA`.

    Raises:
      ConfigError: there is no such name.
    """
    choices.require("argument", argument, DATA)
    data = DATA[argument]
    steps = data.small.steps
    entries = _entries(steps, data.balanced)
    grid = base.study(f"In stages: {data.title}, {data.small.size} px", entries)
    grid.variant = data.variant
    grid.ramp_share = 0.0
    grid.overrides = {"train.eval_every": steps // 2, **data.settings}
    grid.split_follows_seed = data.split_follows_seed
    grid.checkpoint = "latest"
    # All seeds of an entry, then the next one: two that run together would both train a teacher.
    grid.blocks = tuple(
        Block(entries=(name,), datasets=(data.dataset,), seeds=(0, 1, 2)) for name in entries
    )
    grid.metrics = ("dataset_iou", "dataset_iou_foreground", "image_iou", "pixel_accuracy")
    trained = {row for entry in entries.values() for row in entry.stages}
    grid.figures = (
        Bars(
            title="Stages",
            entries=tuple(row for row in ROWS if row in trained),
            dataset=data.dataset,
            budget=data.labeled,
        ),
    )
    return grid


def _entries(steps: int, balanced: bool) -> dict[str, Entry]:
    """ST, ST++ and PPL; also a balanced one, unless all are `balanced`."""
    entries = {
        "ST": Entry(
            config="configs/{dataset}_stpp.py",
            overrides={"student_steps": (progressive.STUDENT_LENGTH * steps,)},
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
    if not balanced:
        entries[BALANCED] = Entry(
            config="configs/{dataset}_ppl.py",
            overrides={"balanced": True},
            stages={f"{BALANCED}, one stage": "student_1", BALANCED: "student_2"},
        )
    return entries
