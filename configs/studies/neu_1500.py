"""Supervised, Mean Teacher, CPS and UAPS on NEU-Seg with 10 % labels for 1500 steps of 8 + 8.

64 px, cosine from 1e-3; every ramp takes UAPS's 34 % of the steps.

    python run.py --config=configs/studies/neu_1500.py

About three quarters of an hour on two CPU cores.
"""

from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Grid, Panels


def get_config() -> Grid:
    chosen = {name: base.METHODS[name] for name in ("supervised", "Mean Teacher", "CPS", "UAPS")}
    grid = base.study("NEU-Seg, 10 % labeled, 64 px, 1500 steps of 8 + 8", chosen)
    grid.variant = "medium"
    grid.overrides = {"train.steps": 1500, "train.eval_every": 150, "checkpoint.every": 150}
    grid.blocks = (Block(entries=tuple(chosen), datasets=("neu",)),)
    grid.figures = (
        Bars(title="All methods", dataset="neu", budget=0.1, entries=tuple(chosen)),
        Panels(title="Test images", dataset="neu", budget=0.1, entries=tuple(chosen), images=6),
    )
    return grid
