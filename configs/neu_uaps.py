r"""UAPS on NEU-Seg, the paper's setting.

Published test image_iou at 10 % labels: 75.77.

python run.py --config=configs/neu_uaps.py --workdir=runs/neu_uaps \
        --config.data.manual_dir=<folder of the download>
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.neu_seg(), variant, interval=80, length=200)
