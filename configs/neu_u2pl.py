"""U2PL on NEU-Seg, on UAPS's U-Net in the setting of its study; U2PL has published no score on it.

python run.py --config=configs/neu_u2pl.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.u2pl(datasets.neu_seg())
    return variants.apply(config, variant)
