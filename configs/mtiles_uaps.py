"""UAPS on the magnetic tiles, the paper's setting.

python run.py --config=configs/mtiles_uaps.py --workdir=runs/mtiles_uaps \
        --config.data.manual_dir=<folder of the download>
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(
        base.mtiles(), variant, stair=50, length=200, weight_uncertainty=1.0, ramp_uncertainty=False
    )
