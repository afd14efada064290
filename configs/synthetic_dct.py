"""DCT (turned consistency) on the embedded synthetic surfaces.

python run.py --config=configs/synthetic_dct.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.dct(base.synthetic(), variant)
