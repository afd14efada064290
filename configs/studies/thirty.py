"""Eight and thirty annotated pictures: NEU-Seg at a size that a CPU trains.

Protocol `grouped`: of 8 or 30 leakage groups one image each is labeled, and copies of labeled
pictures are in no part. 64 px, 4 + 4 images, 3000 steps of Adam at 1e-3 with a cosine to 0, scores
of the last step. Each seed draws its own labeled images. `recommended` is the method that
`configs/train.py` takes where none is named: FixMatch with class-wise thresholds, boxes from
labeled images and a ramp of the unlabeled loss. Its thresholds and the number of steps were chosen
on the validation images of seed 0 with 8 pictures; its ramp on this draw, the synthetic surfaces
and the tiles of cracks, by single runs whose test scores were seen.

    python run.py --config=configs/studies/thirty.py:methods
    python run.py --config=configs/studies/thirty.py:methods,32px

After the colon, in any order, with commas: `methods`, `single` (further methods with one draw),
`labels` (the curve of supervised learning, for label equivalence), `chance` (draws of labels
crossed with initialisations), `ablation`; without a part all of them, about twenty hours on two
CPU cores, estimated. With `32px` the trainings are those of `configs/neu_active.py:small`: 32 px,
8 + 8 images, 1500 steps at 3e-3, a U-Net of four levels without dropout, which was chosen by
supervised learning with 128 labels.
Parts in one work directory share their trainings; each size needs a work directory of its own.
"""

from typing import Any

from uaps_jax.configs.parts import choices, small_runs
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Entry, Figure, Grid, LabelEquivalence, Panels

OURS = "recommended"


def _fixmatch(**settings: object) -> Entry:
    return Entry(
        method="fixmatch", overrides={f"method.{key}": value for key, value in settings.items()}
    )


ENTRIES = {
    "supervised": Entry(method="supervised", overrides={"method.ema_decay": 0.99}),
    **{
        name: base.METHODS[name]
        for name in ("UAPS", "CPS", "FixMatch", "UniMatch V2", "Dirichlet Match")
    },
    OURS: base.RECOMMENDED,
}
SETTINGS: dict[str, Any] = {
    "train.steps": 3000,
    "train.eval_every": 1000,
    "checkpoint.every": 1000,
}
SHORT = "32px"
SHORT_SETTINGS: dict[str, Any] = {
    **base.short(small_runs.NEU),
    "train.eval_every": 500,
    "checkpoint.every": 500,
}

SINGLE = {
    name: base.METHODS[name] for name in ("Mean Teacher", "UniMatch", "AugSeg", "BCP", "PrevMatch")
}
ABLATION = {
    "FixMatch, classwise": _fixmatch(threshold_rule="classwise"),
    "FixMatch, paste": _fixmatch(labeled_paste="always"),
    "FixMatch, tau 0.8": _fixmatch(threshold=0.8),
    "FixMatch, classwise, paste": _fixmatch(threshold_rule="classwise", labeled_paste="always"),
}
MORE_DRAWS = ("supervised", OURS, "Dirichlet Match")
BLOCKS = {
    "methods": (
        Block(entries=tuple(ENTRIES), datasets=("neu",), budgets=(8, 30), seeds=(0, 1, 2)),
        Block(entries=MORE_DRAWS, datasets=("neu",), budgets=(8, 30), seeds=(3, 4)),
        Block(entries=MORE_DRAWS, datasets=("neu",), budgets=(30,), seeds=(5, 6)),
    ),
    "single": (Block(entries=tuple(SINGLE), datasets=("neu",), budgets=(8, 30)),),
    "labels": (
        Block(
            entries=("supervised",),
            datasets=("neu",),
            budgets=(8, 15, 30, 60, 120, 240),
            seeds=(0, 1, 2),
        ),
        Block(entries=(OURS,), datasets=("neu",), budgets=(8, 30), seeds=(0, 1, 2)),
    ),
    "chance": (
        Block(
            entries=("supervised", OURS),
            datasets=("neu",),
            budgets=(30,),
            draws=(0, 1, 2),
            seeds=(0, 1),
        ),
    ),
    "ablation": (
        Block(
            entries=("supervised", "FixMatch", *ABLATION, OURS),
            datasets=("neu",),
            budgets=(8,),
            seeds=(0, 1, 2),
        ),
        Block(
            entries=("supervised", "FixMatch, classwise, paste"),
            datasets=("neu",),
            budgets=(8,),
            seeds=(3, 4),
        ),
    ),
}


def get_config(argument: str = "") -> Grid:
    """The whole study or parts of it, at 64 or 32 px.

    Raises:
      ConfigError: there is no such part.
    """
    words = tuple(word for word in argument.split(",") if word)
    for word in words:
        choices.require("part or size", word, (*BLOCKS, SHORT))
    parts = tuple(word for word in words if word != SHORT) or tuple(BLOCKS)
    is_short = SHORT in words
    length = "32 px, 1500 steps" if is_short else "64 px, 3000 steps"
    grid = base.of_draws(
        f"NEU-Seg, 8 and 30 labeled pictures, {length}", ENTRIES | SINGLE | ABLATION
    )
    grid.variant = "small"
    grid.overrides = {"data.protocol": "grouped", **(SHORT_SETTINGS if is_short else SETTINGS)}
    grid.workers = 2
    grid.blocks = tuple(block for part in parts for block in BLOCKS[part])
    trained = {name for block in grid.blocks for name in block.entries}
    grid.entries = {name: entry for name, entry in grid.entries.items() if name in trained}
    grid.figures = tuple(_figures(parts, tuple(grid.entries)))
    return grid


def _figures(parts: tuple[str, ...], entries: tuple[str, ...]) -> list[Figure]:
    of_methods = {"methods", "single"} & set(parts)
    budgets = (8, 30) if of_methods else (8,) if "ablation" in parts else ()
    figures: list[Figure] = [
        Bars(title=f"{budget} labeled pictures", dataset="neu", budget=budget, entries=entries)
        for budget in budgets
    ]
    if "labels" in parts:
        figures.append(LabelEquivalence(title="Label equivalence", dataset="neu", entries=(OURS,)))
    if "methods" in parts:
        shown = ("supervised", OURS)
        figures += [
            Panels(title=f"{budget} labels", dataset="neu", budget=budget, entries=shown, images=6)
            for budget in budgets
        ]
    return figures
