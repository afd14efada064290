"""Small networks for tests."""

from uaps_jax import models
from uaps_jax.configs.parts import datasets
from uaps_jax.models.network import Network


def small(*, channels=3, classes=2, heads=None, dtype="float32", **changes) -> Network:
    """A U-Net of two levels, or as the changes of `UNetConfig` say."""
    config = datasets.neu_seg()
    config.data.channels, config.data.classes = channels, classes
    settings = {
        "auxiliary": 3,
        "widths": (4, 5),
        "dropout": (0.1, 0.2),
        "noise_limit": 0.3,
        "perturb_dropout": 0.5,
        "feature_dropout": (0.7, 0.9),
        "dtype": dtype,
    }
    for name, value in (settings | changes).items():
        setattr(config.network, name, value)
    return models.build(config, heads or {})
