"""UAPS on KolektorSDD2, the paper's setting.

python run.py --config=configs/ksdd2_uaps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.ksdd2(), variant, interval=40, length=150)
