"""Thirty and eight annotated pictures of NEU-Seg at full size, for a GPU.

Protocol `grouped`: of 30 or 8 leakage groups one image each is labeled, and copies of labeled
pictures are in no part. 256 px, 8 + 8 images, 3000 steps of Adam with a cosine to 0, bfloat16,
scores of the last step; UAPS's U-Net at 1e-3, or EfficientNet-Lite0 with its published weights at
3e-4, its decoder at 3e-3. Each seed draws its own labeled images. The thresholds and boxes of the
recommended method and of Dirichlet Match were chosen on draw 0 with 8 pictures at 64 px, nothing at
this size.

    python run.py --config=configs/studies/thirty_256px.py
    python run.py --config=configs/studies/thirty_256px.py:network=efficientnet_lite0,budget=30

After the colon, `network` (`unet` if left out) and `budget`, `30` or `8` (both if left out). Each
network needs a work directory of its own. Trainings share a GPU.
"""

from collections.abc import Iterable
from typing import Any

from uaps_jax.configs.parts import choices, small_runs
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Grid, Panels

BUDGETS = {"30": 30, "8": 8}
LEARNING_RATES: dict[str, dict[str, Any]] = {
    "unet": {"optimizer.learning_rate": 1e-3},
    "efficientnet_lite0": {
        "optimizer.learning_rate": small_runs.MTILES.learning_rate,
        "optimizer.decoder_multiple": small_runs.MTILES.decoder_multiple,
    },
}
SEEDS = (0, 1, 2)


def get_config(argument: str = "") -> Grid:
    """The study of a network, with one budget or both.

    Raises:
      ConfigError: the argument names something else.
    """
    parts: dict[str, Iterable[str]] = {"network": LEARNING_RATES, "budget": BUDGETS}
    chosen = choices.parse(argument, parts, required=())
    network = chosen.get("network", "unet")
    budgets = [BUDGETS[chosen["budget"]]] if "budget" in chosen else list(BUDGETS.values())
    entries = base.with_network(network)
    names = tuple(entries)
    pictures = " and ".join(map(str, budgets))
    grid = base.of_draws(f"NEU-Seg, {pictures} labeled pictures, 256 px, {network}", entries)
    grid.overrides = {
        "data.protocol": "grouped",
        "train.steps": 3000,
        "train.eval_every": 1000,
        "checkpoint.every": 500,
        "train.batch_labeled": 8,
        "train.batch_unlabeled": 8,
        "optimizer.schedule": "cosine",
        "network.dtype": "bfloat16",
        **LEARNING_RATES[network],
    }
    grid.workers = grid.per_gpu = 6
    # The longest trainings of a draw begin first.
    order = tuple(reversed(names))
    grid.blocks = tuple(
        Block(entries=order, datasets=("neu",), budgets=(budget,), seeds=(seed,))
        for budget in budgets
        for seed in SEEDS
    )
    for budget in budgets:
        here: dict[str, Any] = {"dataset": "neu", "budget": budget, "entries": names}
        grid.figures += (
            Bars(title=f"{budget} labeled pictures", **here),
            Panels(title=f"{budget} labels", images=6, **here),
        )
    return grid
