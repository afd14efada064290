r"""UAPS on CrackForest, a fifth of the annotated training images labeled.

python run.py --config=configs/crackforest_uaps.py --workdir=runs/crackforest_uaps \
        --config.data.manual_dir=<folder of the download>
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.uaps(base.crackforest(), variant)
