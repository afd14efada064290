"""A study of four entries, one of them from a file of its own.

uaps-jax --config=examples/my_study.py
"""

# --8<-- [start:study]
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Entry


def get_config():
    entries = {
        "supervised": base.METHODS["supervised"],
        "UAPS": base.METHODS["UAPS"],
        "UAPS, pixels": Entry(method="uaps", overrides={"method.rectify": "pixel"}),
        "entropy": Entry(config="examples/my_entropy.py:dataset={dataset},variant={variant}"),
    }
    grid = base.study("Three methods on the synthetic surfaces", entries)
    grid.variant = "small"
    grid.blocks = (Block(entries=tuple(entries), datasets=("synthetic",), seeds=(0, 1, 2)),)
    grid.figures = (
        Bars(title="All", dataset="synthetic", budget=16 / 512, entries=tuple(entries)),
    )
    return grid


# --8<-- [end:study]
