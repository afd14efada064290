"""A check that all figures can be drawn: the paper's study in small, on the synthetic surfaces.

32 px, 60 steps of 4 + 4: the scores mean nothing.

    python run.py --config=configs/studies/rendering_check.py

About a quarter of an hour on two CPU cores.
"""

import dataclasses

from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Grid


def get_config() -> Grid:
    grid = base.paper(
        "Rendering check: 60 steps at 32 px, the scores mean nothing",
        "synthetic",
        (16 / 512, 32 / 512, 64 / 512),
    )
    grid.overrides = {
        "data.height": 32,
        "data.width": 32,
        "train.steps": 60,
        "train.eval_every": 30,
        "checkpoint.every": 30,
        "optimizer.learning_rate": 3e-3,
    }
    grid.figures = tuple(
        dataclasses.replace(figure, title=f"Rendering check: {figure.title}")
        for figure in grid.figures
    )
    return grid
