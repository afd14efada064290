"""The labeled images of KolektorSDD2 alone: UAPS's baseline, one decoder, with UAPS's steps.

python run.py --config=configs/ksdd2_supervised.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.supervised(base.ksdd2(), variant)
