"""U2PL on CrackForest: cracks are about 1.6 % of the pixels.

A percentile of all entropies would leave out most cracks; each pseudo-label has its own.

python run.py --config=configs/crackforest_u2pl.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.u2pl(datasets.crackforest())
    return variants.apply(config, variant)
