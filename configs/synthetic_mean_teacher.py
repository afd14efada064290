"""Mean Teacher on the embedded synthetic surfaces.

python run.py --config=configs/synthetic_mean_teacher.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.mean_teacher(base.synthetic(), variant)
