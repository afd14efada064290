"""The labeled images of the synthetic surfaces alone.

python run.py --config=configs/synthetic_supervised.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.supervised(base.synthetic(), variant)
