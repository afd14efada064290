"""DUEB on NEU-Seg; its paper has no defects: no published number.

python run.py --config=configs/neu_dueb.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.dueb(base.neu_seg(), variant)
