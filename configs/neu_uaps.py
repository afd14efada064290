"""UAPS on NEU-Seg, the paper's setting.

python run.py --config=configs/neu_uaps.py --workdir=runs/neu_uaps \
        --config.data.manual_dir=<folder of the download>
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.neu_seg(), variant, stair=80, length=200)
