r"""The labeled images of the magnetic tiles alone: UAPS's baseline, one decoder, with UAPS's steps.

python run.py --config=configs/mtiles_supervised.py --workdir=runs/mtiles_supervised \
        --config.data.manual_dir=<folder of the download>
"""

from configs import base
from uaps_jax.config import Config


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    return base.supervised(base.mtiles(), variant)
