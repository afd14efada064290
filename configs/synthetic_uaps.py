"""UAPS on the embedded synthetic surfaces: a first run of minutes.

python run.py --config=configs/synthetic_uaps.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.uaps(datasets.synthetic())
    return variants.apply(config, variant)
