"""UAPS on the magnetic tiles, the paper's setting.

Its released script leaves L_un out of the ramp and weighs it with 1.

    python run.py --config=configs/mtiles_uaps.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.uaps(
        datasets.mtiles(),
        ramp_interval=50,
        ramp_length=200,
        weight_uncertainty=1.0,
        ramp_uncertainty=False,
    )
    return variants.apply(config, variant)
