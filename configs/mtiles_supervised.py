"""The labeled images of the magnetic tiles alone: UAPS's baseline, one decoder, with UAPS's steps.

python run.py --config=configs/mtiles_supervised.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.supervised(base.mtiles(), variant)
