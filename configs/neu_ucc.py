"""UCC on NEU-Seg, the setting of UAPS's study.

800 epochs of 60 iterations.

    python run.py --config=configs/neu_ucc.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = base.neu_seg()
    config.train.steps, config.train.eval_every = 799 * 59, 59
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 50, 1e-8
    return base.ucc(config, variant, interval=150, length=200)
