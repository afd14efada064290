"""Thirty annotated pictures of NEU-Seg on a pretrained encoder, at a size that a CPU trains.

EfficientNet-Lite0 with its published weights, which are in the extra `pretrained`; 128 px, 4 + 4
images, 1500 steps of Adam with a cosine to 0, the encoder at 3e-4 and its decoder at 3e-3, as in
the small runs of the magnetic tiles, where they were chosen; scores of the last step. Protocol
`grouped`: of 30 leakage groups one image each is labeled, and copies of labeled pictures are in no
part. Each seed draws its own labeled images. The thresholds and boxes of the recommended method and
of Dirichlet Match were chosen on draw 0 with 8 pictures at 64 px.

    python run.py --config=configs/studies/thirty_pretrained.py

Dirichlet Match, which takes the longest, is trained after the others.
"""

from typing import Any

from uaps_jax.configs.parts import small_runs
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Grid, Panels

SEEDS = (0, 1, 2)


def get_config() -> Grid:
    small = small_runs.MTILES
    entries = base.with_network(small.network)
    grid = base.of_draws(
        "NEU-Seg, 30 labeled pictures, 128 px, pretrained EfficientNet-Lite0", entries
    )
    grid.variant = "small"
    grid.overrides = {
        "data.protocol": "grouped",
        "train.eval_every": 500,
        "checkpoint.every": 500,
        **base.short(small),
    }
    grid.workers = 2
    grid.blocks = tuple(
        Block(entries=together, datasets=("neu",), budgets=(30,), seeds=(seed,))
        for together in (("supervised", "recommended"), ("Dirichlet Match",))
        for seed in SEEDS
    )
    here: dict[str, Any] = {"dataset": "neu", "budget": 30, "entries": tuple(entries)}
    grid.figures = (
        Bars(title="30 labeled pictures", **here),
        Panels(title="30 labels", images=6, **here),
    )
    return grid
