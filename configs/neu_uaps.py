"""UAPS on NEU-Seg, the paper's setting.

Published test image_iou at 10 % labels: 75.77.

python run.py --config=configs/neu_uaps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.neu_seg(), variant, interval=80, length=200)
