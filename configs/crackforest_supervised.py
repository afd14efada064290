"""The labeled images of CrackForest alone.

python run.py --config=configs/crackforest_supervised.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.supervised(base.crackforest(), variant)
