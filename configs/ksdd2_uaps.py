"""UAPS on KolektorSDD2, the paper's setting.

python run.py --config=configs/ksdd2_uaps.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.uaps(datasets.ksdd2(), ramp_interval=40, ramp_length=150)
    return variants.apply(config, variant)
