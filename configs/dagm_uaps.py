"""UAPS on DAGM 2007, the paper's setting.

python run.py --config=configs/dagm_uaps.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.uaps(datasets.dagm(), ramp_interval=60, ramp_length=200)
    return variants.apply(config, variant)
