"""A first run: supervised and semi-supervised learning on the same 16 labeled images.

    python run.py --config=configs/first.py --workdir=runs/first

The embedded synthetic surfaces. Writes `runs/first/supervised` and `runs/first/fixmatch`, each an
ordinary work directory, and `runs/first/report.html` with both scores and a picture of the same
test images by both.
"""

from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Block, Entry, Grid, Panels

LABELED = 16


def get_config() -> Grid:
    grid = base.study(
        f"Synthetic surfaces, {LABELED} labeled images",
        {
            "supervised": Entry(method="supervised"),
            "fixmatch": Entry(method="fixmatch"),
        },
    )
    entries = tuple(grid.entries)
    grid.overrides = {"train.seed": 0}
    grid.blocks = (Block(entries=entries, datasets=("synthetic",), budgets=(LABELED,)),)
    grid.checkpoint = "latest"
    grid.folders = "entries"
    grid.workers = 2
    grid.figures = (
        Panels(
            title="Test images",
            dataset="synthetic",
            budget=LABELED,
            entries=entries,
            images=6,
        ),
    )
    return grid
