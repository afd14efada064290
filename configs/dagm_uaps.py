"""UAPS on DAGM 2007, the paper's setting.

python run.py --config=configs/dagm_uaps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.dagm(), variant, interval=60, length=200)
