"""Every method of UAPS's study, and CPCL and DUEB, on NEU-Seg with 10 % labels, shortened.

64 px, 4 + 4 images, 800 steps, cosine from 1e-3; every ramp takes UAPS's 34 % of the steps. Loss
weights are each method's own. Supervised, Mean Teacher and UAPS with three seeds.

    python run.py --config=configs/studies/neu_small.py

About an hour and a half on two CPU cores.
"""

from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Grid, Panels


def get_config() -> Grid:
    everyone = (*base.STUDY, "CPCL", "DUEB", "DUEB (aleatoric)", "DUEB (energy)")
    entries = {name: base.METHODS[name] for name in everyone}
    grid = base.study("NEU-Seg, 10 % labeled, 64 px, 800 steps", entries)
    grid.variant = "small"
    grid.blocks = (
        Block(entries=everyone, datasets=("neu",)),
        Block(entries=("supervised", "Mean Teacher", "UAPS"), datasets=("neu",), seeds=(0, 1, 2)),
    )
    grid.figures = (
        Bars(title="All methods", dataset="neu", budget=0.1, entries=everyone),
        Panels(title="Test images", dataset="neu", budget=0.1, entries=everyone, images=6),
    )
    return grid
