"""Mean Teacher on NEU-Seg, the setting of UAPS's study.

600 epochs of 60 iterations; 599 of 59 run.

    python run.py --config=configs/neu_mean_teacher.py
"""

from configs import base
from uaps_jax.config import Config
from uaps_jax.methods.mean_teacher import MeanTeacherConfig


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = base.neu_seg()
    config.train.steps, config.train.eval_every = 599 * 59, 59
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 40, 1e-7
    config = base.mean_teacher(config, variant, interval=150, length=200)
    if not variant and isinstance(config.method, MeanTeacherConfig):
        config.method.delay = 1000
    return config
