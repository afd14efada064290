"""DUEB with the energy term alone, on NEU-Seg.

python run.py --config=configs/neu_dueb_energy.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.dueb(base.neu_seg(), variant, aleatoric=False)
