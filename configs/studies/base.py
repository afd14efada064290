"""The entries and settings that the studies share."""

from typing import Any

from uaps_jax.configs.parts import small_runs
from uaps_jax.configs.parts.small_runs import SmallRun
from uaps_jax.study.grid import Bars, Block, Decoders, Entry, Figure, Grid, Lines, Panels

METHODS = {
    "supervised": Entry(method="supervised"),
    "supervised, EMA": Entry(
        method="supervised",
        overrides={"method.ema_decay": 0.99, "evaluation.predictor": "ema"},
    ),
    "FixMatch": Entry(method="fixmatch"),
    "AugSeg": Entry(method="augseg"),
    "BCP": Entry(method="bcp"),
    "UniMatch": Entry(method="unimatch_v1"),
    "PrevMatch": Entry(method="prevmatch"),
    "UniMatch V2": Entry(method="unimatch_v2"),
    "Dirichlet Match": Entry(method="dirichlet_match"),
    "U2PL": Entry(method="u2pl"),
    "U2PL, no contrast": Entry(method="u2pl", overrides={"method.weight_contrast": 0.0}),
    "Mean Teacher": Entry(method="mean_teacher"),
    "UA-MT": Entry(method="ua_mt"),
    "CCT": Entry(method="cct"),
    "CPS": Entry(method="cps"),
    "DCT": Entry(method="dct"),
    "UCC": Entry(method="ucc"),
    "UAPS": Entry(method="uaps"),
    "CPCL": Entry(method="cpcl"),
    "DUEB": Entry(method="dueb"),
    "DUEB (aleatoric)": Entry(method="dueb", overrides={"method.weight_energy": (0.0, 0.0)}),
    "DUEB (energy)": Entry(method="dueb", overrides={"method.weight_aleatoric": (0.0, 0.0)}),
}

RECOMMENDED = Entry(config="configs/train.py:dataset={dataset},variant={variant}")
"""The method that `configs/train.py` takes where none is named, `methods.recommended`."""


def with_network(network: str) -> dict[str, Entry]:
    """Supervised learning, the recommended method and Dirichlet Match, on a network of
    `configs/train.py`.

    The unlabeled loss of the recommended method has its usual ramp, that of Dirichlet Match none.
    """
    file = f"configs/train.py:dataset={{dataset}},variant={{variant}},network={network}"
    return {
        "supervised": Entry(
            config=f"{file},method=supervised", overrides={"method.ema_decay": 0.99}
        ),
        "recommended": Entry(config=file),
        "Dirichlet Match": Entry(config=f"{file},method=dirichlet_match"),
    }


STUDY = ("supervised", "Mean Teacher", "UA-MT", "CCT", "CPS", "DCT", "UCC", "UAPS")
"""The methods that UAPS's paper compares."""


def _uaps(**overrides: object) -> Entry:
    return Entry(
        method="uaps",
        overrides={key.replace("__", "."): value for key, value in overrides.items()},
    )


ABLATION = {
    "L_ps": _uaps(method__rectify="none", method__weight_uncertainty=0.0),
    "L_ups": _uaps(method__weight_uncertainty=0.0),
    "L_un": _uaps(method__weight_pseudo=0.0),
    "L_ps + L_un": _uaps(method__rectify="none"),
}
"""UAPS's losses one by one (its Fig. 6); all of them is UAPS, none is supervised."""

WEIGHTS = (0.3, 0.5, 1.0)
SWEEP = {
    **{f"w1 = {w:g}": _uaps(method__weight_pseudo=w) for w in WEIGHTS},
    **{f"w2 = {w:g}": _uaps(method__weight_uncertainty=w) for w in WEIGHTS},
}
"""UAPS's coefficients (Fig. 7, where 0 is both losses off, supervised learning)."""

MIXING = {"UAPS, averaged": _uaps(method__mixing="mean")}
"""Fig. 8."""

DECODERS = {f"{d} auxiliary": _uaps(network__auxiliary=d) for d in (1, 2, 4)}
"""Fig. 9; none is supervised, three is UAPS."""


def paper(title: str, dataset: str, ratios: tuple[float, ...]) -> Grid:
    """The tables and figures of UAPS's paper, on one dataset; the first ratio is the main one.

    All entries at the first ratio, and supervised, UAPS and averaging at the others: with three
    ratios 28 trainings.
    """
    methods = {name: METHODS[name] for name in STUDY}
    grid = study(title, methods | ABLATION | SWEEP | MIXING | DECODERS)
    main = ratios[0]
    grid.blocks = (
        Block(entries=tuple(grid.entries), datasets=(dataset,), budgets=(main,)),
        Block(
            entries=("supervised", "UAPS", *MIXING),
            datasets=(dataset,),
            budgets=ratios[1:] or (main,),
        ),
    )
    sweeps = {
        name: (
            (0.0, "supervised", main),
            (0.1, "UAPS", main),
            *((w, f"{name} = {w:g}", main) for w in WEIGHTS),
        )
        for name in ("w1", "w2")
    }
    curves = {
        entry: tuple((ratio, entry, ratio) for ratio in ratios)
        for entry in ("supervised", "UAPS", *MIXING)
    }
    here: dict[str, Any] = {"dataset": dataset, "budget": main}
    figures: tuple[Figure, ...] = (
        Bars(title="Methods", entries=STUDY, **here),
        Lines(
            title="Label efficiency",
            dataset=dataset,
            x_label="data.labeled_ratio",
            series={name: curves[name] for name in ("supervised", "UAPS")},
        ),
        Bars(title="Losses (Fig. 6)", entries=("supervised", *ABLATION, "UAPS"), **here),
        Lines(title="Coefficients (Fig. 7)", dataset=dataset, x_label="coefficient", series=sweeps),
        Lines(
            title="Dynamic mixing and averaging (Fig. 8)",
            dataset=dataset,
            x_label="data.labeled_ratio",
            series={name: curves[name] for name in ("UAPS", *MIXING)},
        ),
        Decoders(
            title="Auxiliary decoders (Fig. 9)",
            entries=("supervised", "1 auxiliary", "2 auxiliary", "UAPS", "4 auxiliary"),
            **here,
        ),
        Panels(title="Test images (Figs. 4, 5)", entries=STUDY, images=6, **here),
    )
    grid.figures = figures
    return grid


def short(small: SmallRun) -> dict[str, Any]:
    """A small run of square images as overrides of a study of the variant `small`."""
    return {
        "data.height": small.size,
        "data.width": small.size,
        "train.steps": small.steps,
        "train.batch_labeled": small.batch,
        "train.batch_unlabeled": small.batch,
        **small_runs.settings(small),
    }


def of_draws(title: str, entries: dict[str, Entry]) -> Grid:
    """A study like `study` in which each seed draws its labeled images.

    The last step is scored, and each method keeps its own ramp.
    """
    grid = study(title, entries)
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.checkpoint = "latest"
    return grid


def study(title: str, entries: dict[str, Entry]) -> Grid:
    """A study of these entries, without blocks of trainings yet; UAPS's ramp for all."""
    return Grid(
        title=title,
        entries=entries,
        blocks=(),
        variant="",
        overrides={},
        ramp_share=0.34,
        split_follows_seed=False,
        data_dir="data",
        manual_dir="",
        checkpoint="best",
        metrics=("image_iou", "image_dice", "dataset_iou", "pixel_accuracy"),
        baseline="supervised",
        figures=(),
        notes=(),
        folders="runs",
        workers=1,
        per_gpu=1,
    )
