"""UAPS on CrackForest, a fifth of the annotated training images labeled.

python run.py --config=configs/crackforest_uaps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.crackforest(), variant)
