"""CCT on NEU-Seg, the setting of UAPS's study.

600 epochs of 60 iterations. Published test image_iou at 10 % labels: 74.56
(ProMSC, 2026, Table 1).

    python run.py --config=configs/neu_cct.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = base.neu_seg()
    config.train.steps, config.train.eval_every = 599 * 59, 59
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 40, 1e-7
    return base.cct(config, variant, interval=150, length=200)
