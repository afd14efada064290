"""UAPS on NEU-Seg, the paper's setting.

Published test image_iou at 10 % labels: 75.77.

python run.py --config=configs/neu_uaps.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.uaps(datasets.neu_seg(), ramp_interval=80, ramp_length=200)
    return variants.apply(config, variant)
