"""The tables and figures of UAPS's paper on NEU-Seg: 28 trainings at full size, for a GPU.

256 px, 16 + 16 images, 47,141 steps for every method, plateau schedule. Ramps take 34 % of the
steps and move at each of them (UAPS's own moves every 80), and Mean Teacher starts its consistency
after 3 % of them. Published test image_iou at 10 % labels: supervised 72.93, CCT 74.56, CPS 74.98,
UAPS 75.77.

    python run.py --config=configs/studies/neu_paper.py
"""

from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Grid


def get_config() -> Grid:
    grid = base.paper("UAPS's study on NEU-Seg", "neu", (0.1, 0.3, 0.5))
    grid.overrides = {
        "train.steps": 799 * 59,
        "train.eval_every": 59,
        "train.batch_labeled": 16,
        "train.batch_unlabeled": 16,
        "optimizer.schedule": "plateau",
        "optimizer.plateau_patience": 50,
        "optimizer.plateau_min_lr": 1e-8,
    }
    return grid
