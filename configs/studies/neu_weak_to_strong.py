"""The weak-to-strong family on NEU-Seg at full size: 20 trainings a protocol, for a GPU.

256 px, 16 + 16 images, 47,141 steps of Adam at 1e-3 with a cosine to 0, 10, 20, 30 and 50 % of the
training images labeled; last step. After the colon a protocol, `published` (the default) or
`grouped`; `short` takes 7500 steps in bfloat16 of three entries at 10 %, side by side on a GPU, and
`rehearsal` 12 steps at 32 px of every entry, both under `published`. Published test image_iou at
10, 20, 30 and 50 % labels (ProMSC, another network): 77.65, 79.02, 79.95, 81.12.

    python run.py --config=configs/studies/neu_weak_to_strong.py:published

The same command resumes it.
"""

from typing import Any

from uaps_jax.config import ConfigError
from uaps_jax.configs.studies import base
from uaps_jax.configs.studies.thirty import ENTRIES, OURS
from uaps_jax.study.grid import Bars, Block, Grid, Lines

RATIOS = (0.1, 0.2, 0.3, 0.5)
CHOSEN = ("supervised", "UAPS", "FixMatch", "UniMatch V2", OURS)
SHORT_ENTRIES = ("supervised", "UAPS", OURS)
SHORT: dict[str, Any] = {
    "train.steps": 7500,
    "train.eval_every": 750,
    "checkpoint.every": 2500,
    "network.dtype": "bfloat16",
}
REHEARSAL: dict[str, Any] = {
    "data.height": 32,
    "data.width": 32,
    "train.steps": 12,
    "train.eval_every": 6,
    "checkpoint.every": 6,
    "train.batch_labeled": 4,
    "train.batch_unlabeled": 4,
}


def get_config(argument: str = "published") -> Grid:
    """The study under a protocol, or a smaller one.

    Raises:
      ConfigError: the argument is neither.
    """
    if argument not in ("published", "grouped", "short", "rehearsal"):
        raise ConfigError(f"{argument!r}: must be published, grouped, short or rehearsal")
    smaller: dict[str, Any] = {"short": SHORT, "rehearsal": REHEARSAL}.get(argument, {})
    protocol = "published" if smaller else argument
    names = SHORT_ENTRIES if argument == "short" else CHOSEN
    grid = base.study(
        f"NEU-Seg, 256 px, protocol {protocol}", {name: ENTRIES[name] for name in names}
    )
    overrides: dict[str, Any] = {
        "data.protocol": protocol,
        "train.steps": 799 * 59,
        "train.eval_every": 10 * 59,
        "checkpoint.every": 10 * 59,
        "train.batch_labeled": 16,
        "train.batch_unlabeled": 16,
        "optimizer.schedule": "cosine",
        "optimizer.learning_rate": 1e-3,
    }
    grid.overrides = overrides | smaller
    ratios = RATIOS[:1] if smaller else RATIOS
    grid.blocks = (Block(entries=names, datasets=("neu",), budgets=ratios),)
    if argument == "short":
        grid.workers = grid.per_gpu = len(names)
    grid.ramp_share = 0.0
    grid.checkpoint = "latest"
    grid.figures = (
        Bars(title="10 % labels", dataset="neu", budget=0.1, entries=names),
        Lines(
            title="Label efficiency",
            dataset="neu",
            x_label="data.labeled_ratio",
            series={name: tuple((ratio, name, ratio) for ratio in ratios) for name in names},
        ),
    )
    return grid
