"""CCT on NEU-Seg, the setting of UAPS's study.

600 epochs of 60 iterations. Published test image_iou at 10 % labels: 74.56
(ProMSC, 2026, Table 1).

    python run.py --config=configs/neu_cct.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = datasets.neu_seg()
    config.train.steps, config.train.eval_every = 599 * 59, 59
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 40, 1e-7
    config = methods.cct(config, ramp_interval=150, ramp_length=200)
    return variants.apply(config, variant)
