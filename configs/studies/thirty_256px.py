"""Eight and thirty annotated pictures of NEU-Seg at full size, for a GPU.

Protocol `grouped`: of 8 or 30 leakage groups one image each is labeled, and copies of labeled
pictures are in no part. 256 px, 8 + 8 images, 3000 steps of Adam with a cosine to 0, bfloat16,
scores of the last step; UAPS's U-Net at 1e-3, or EfficientNet-Lite0 with its published weights at
3e-4, its decoder at 3e-3. Each seed draws its own labeled images. Nothing was chosen at this size.

    python run.py --config=configs/studies/thirty_256px.py:30
    python run.py --config=configs/studies/thirty_256px.py:efficientnet_lite0,30

Behind the colon, with a comma: `8` or `30`, both if left out, and a network, `unet` if left out.
The budgets of a network in one work directory share their trainings. Trainings share a GPU.
"""

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


def get_config(argument: str = "") -> Grid:
    """The study of a network, with one budget or both.

    Raises:
      ConfigError: the argument has another word.
    """
    words = [word for word in argument.split(",") if word]
    for word in words:
        choices.require("budget or network", word, (*BUDGETS, *LEARNING_RATES))
    [network] = [word for word in words if word in LEARNING_RATES] or ["unet"]
    budgets = [BUDGETS[word] for word in words if word in BUDGETS] or list(BUDGETS.values())
    entries = base.of_thirty(network)
    grid = base.study(f"NEU-Seg, 8 and 30 labeled pictures, 256 px, {network}", entries)
    grid.overrides = {
        "data.protocol": "grouped",
        "train.steps": 3000,
        "train.eval_every": 1500,
        "checkpoint.every": 1500,
        "train.batch_labeled": 8,
        "train.batch_unlabeled": 8,
        "optimizer.schedule": "cosine",
        "network.dtype": "bfloat16",
        **LEARNING_RATES[network],
    }
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.checkpoint = "latest"
    grid.workers = grid.per_gpu = 6
    grid.blocks = tuple(
        Block(entries=tuple(entries), datasets=("neu",), budgets=(budget,), seeds=(0, 1, 2))
        for budget in budgets
    )
    grid.figures = tuple(
        figure
        for budget in budgets
        for figure in (
            Bars(
                title=f"{budget} labeled pictures",
                dataset="neu",
                budget=budget,
                entries=tuple(reversed(entries)),
            ),
            Panels(
                title=f"{budget} labels",
                dataset="neu",
                budget=budget,
                entries=tuple(reversed(entries)),
                images=6,
            ),
        )
    )
    return grid
