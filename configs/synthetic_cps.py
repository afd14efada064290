"""CPS on the embedded synthetic surfaces.

python run.py --config=configs/synthetic_cps.py --workdir=runs/synthetic_cps
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.cps(base.synthetic(), variant)
