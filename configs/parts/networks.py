"""The families of networks, by the name that `configs/train.py` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uaps_jax import config as c
from uaps_jax.models.unet import UNetConfig


def unet(**settings: Any) -> UNetConfig:
    """UAPS's U-Net; settings that are named replace its own. Methods add auxiliary decoders."""
    released: dict[str, Any] = {
        "auxiliary": 0,
        "widths": (16, 32, 64, 128, 256),
        "dropout": (0.05, 0.1, 0.2, 0.3, 0.5),
        "noise_limit": 0.3,
        "perturb_dropout": 0.5,
        "feature_dropout": (0.7, 0.9),
        "dtype": "float32",
    }
    return UNetConfig(**(released | settings))


NETWORKS: dict[str, Callable[..., c.NetworkConfig]] = {"unet": unet}
