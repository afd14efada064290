"""The labeled images of NEU-Seg alone: the baseline of UAPS's study, one decoder.

600 epochs of 20 iterations, a full pass over the 308 labeled images each; 599 of them run.
Published test image_iou at 10 % labels: 72.93.

    python run.py --config=configs/neu_supervised.py
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = datasets.neu_seg()
    config.train.steps, config.train.eval_every = 599 * 20, 20
    config.optimizer.plateau_patience, config.optimizer.plateau_min_lr = 40, 1e-7
    config = methods.supervised(config)
    return variants.apply(config, variant)
