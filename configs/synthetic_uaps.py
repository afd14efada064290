"""UAPS on the embedded synthetic surfaces: a first run of minutes.

python run.py --config=configs/synthetic_uaps.py

Dropout is off and the learning rate is 3e-3: with those of the published setting, 600 steps are too
few to fit 16 labeled images.
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, networks, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = variants.apply(methods.uaps(datasets.synthetic()), variant)
    config.optimizer.learning_rate = 3e-3
    config.network = networks.unet(dropout=(0.0,) * 5, auxiliary=config.network.auxiliary)
    return config
