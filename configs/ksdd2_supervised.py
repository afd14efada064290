"""The labeled images of KolektorSDD2 alone: UAPS's baseline, one decoder, with UAPS's steps.

python run.py --config=configs/ksdd2_supervised.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.supervised(datasets.ksdd2())
    return variants.apply(config, variant)
