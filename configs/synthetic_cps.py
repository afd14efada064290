"""CPS on the embedded synthetic surfaces.

python run.py --config=configs/synthetic_cps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.cps(base.synthetic(), variant)
