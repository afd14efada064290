"""DCT (turned consistency) on NEU-Seg, the setting of UAPS's study.

600 epochs of 60 iterations.

    python run.py --config=configs/neu_dct.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = base.neu_seg()
    config.train.steps, config.train.eval_every = 599 * 59, 59
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 40, 1e-7
    return base.dct(config, variant, interval=150, length=200)
