"""UAPS on the magnetic tiles, the paper's setting.

Its released script leaves L_un out of the ramp and weighs it with 1.

    python run.py --config=configs/mtiles_uaps.py
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(
        base.mtiles(),
        variant,
        interval=50,
        length=200,
        weight_uncertainty=1.0,
        ramp_uncertainty=False,
    )
