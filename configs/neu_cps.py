"""CPS on NEU-Seg, the setting of UAPS's study.

800 epochs of 60 iterations. Published test image_iou at 10 % labels: 74.98
(ProMSC, 2026, Table 1).

    python run.py --config=configs/neu_cps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = base.neu_seg()
    config.train.steps, config.train.eval_every = 799 * 59, 59
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 50, 1e-7
    return base.cps(config, variant, interval=150, length=200)
