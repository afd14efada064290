"""The families of networks, by the name that `configs/train.py` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uaps_jax import config as c
from uaps_jax.models import encoders
from uaps_jax.models.deeplabv3plus import DeepLabV3PlusConfig
from uaps_jax.models.fpn import FPNConfig
from uaps_jax.models.pspnet import PSPNetConfig
from uaps_jax.models.unet import UNetConfig
from uaps_jax.models.unet_decoder import UNetDecoderConfig

COMMON: dict[str, Any] = {
    "auxiliary": 0,
    "noise_limit": 0.3,
    "perturb_dropout": 0.5,
    "feature_dropout": (0.7, 0.9),
    "pretrained": "",
    "pretrained_parts": "encoder",
    "pretrained_prefix": "",
    "dtype": "float32",
}
"""What all networks have; the perturbations are UAPS's."""


HALF_WIDTHS = (8, 16, 32, 64, 128)
"""Of a U-Net: half of UAPS's."""


def unet(**settings: Any) -> UNetConfig:
    """UAPS's U-Net; settings that are named replace its own. Methods add auxiliary decoders."""
    released: dict[str, Any] = {
        "widths": (16, 32, 64, 128, 256),
        "dropout": (0.05, 0.1, 0.2, 0.3, 0.5),
    }
    return UNetConfig(**(COMMON | released | settings))


ENCODER: dict[str, Any] = {
    **COMMON,
    "multi_grid": (),
    "frozen_levels": 0,
    "frozen_statistics": False,
}
"""What all networks on an encoder of `models/encoders.py` have."""


def efficientnet_lite0(**settings: Any) -> UNetDecoderConfig:
    """EfficientNet-Lite0, pretrained, with a light U-Net decoder: the network for a CPU."""
    own: dict[str, Any] = {
        "encoder": "efficientnet_lite0",
        "output_stride": 32,
        "pretrained": encoders.IMAGENET,
        "widths": (16, 32, 64, 128),
    }
    return UNetDecoderConfig(**(ENCODER | own | settings))


def deeplabv3plus_resnet18(**settings: Any) -> DeepLabV3PlusConfig:
    """PPL's and ST++'s ResNet-18 with DeepLabV3+."""
    own: dict[str, Any] = {
        "encoder": "resnet18",
        "output_stride": 32,
        "form": "ppl",
        "pooling_width": 64,
        "pooling_rates": (12, 24, 36),
    }
    return DeepLabV3PlusConfig(**(ENCODER | own | settings))


def deeplabv3plus_resnet50(**settings: Any) -> DeepLabV3PlusConfig:
    """PPL's and ST++'s ResNet-50 with DeepLabV3+."""
    own: dict[str, Any] = {"encoder": "resnet50", "output_stride": 8, "pooling_width": 256}
    return deeplabv3plus_resnet18(**(own | settings))


def deeplabv3plus_cpcl(**settings: Any) -> DeepLabV3PlusConfig:
    """CPS's, CPCL's and DUEB's ResNet-50 with DeepLabV3+."""
    own: dict[str, Any] = {
        "encoder": "resnet50_deep",
        "output_stride": 16,
        "multi_grid": (2, 2, 4),
        "form": "cpcl",
        "pooling_rates": (6, 12, 18),
    }
    return deeplabv3plus_resnet50(**(own | settings))


def deeplabv3plus_u2pl(**settings: Any) -> DeepLabV3PlusConfig:
    """U2PL's ResNet-101 with DeepLabV3+."""
    own: dict[str, Any] = {
        "encoder": "resnet101_deep",
        "output_stride": 8,
        "multi_grid": (2, 2, 4),
        "form": "u2pl",
    }
    return deeplabv3plus_resnet50(**(own | settings))


def pspnet_resnet18(**settings: Any) -> PSPNetConfig:
    """PPL's ResNet-18 with PSPNet."""
    own = {"encoder": "resnet18", "output_stride": 32, "bins": (1, 2, 3, 6)}
    return PSPNetConfig(**(ENCODER | own | settings))


def pspnet_resnet50(**settings: Any) -> PSPNetConfig:
    """PPL's ResNet-50 with PSPNet."""
    return pspnet_resnet18(**({"encoder": "resnet50", "output_stride": 8} | settings))


def fpn_resnet18(**settings: Any) -> FPNConfig:
    """PPL's ResNet-18 with a feature pyramid network."""
    own = {"encoder": "resnet18", "output_stride": 32, "width": 64}
    return FPNConfig(**(ENCODER | own | settings))


def fpn_resnet50(**settings: Any) -> FPNConfig:
    """PPL's ResNet-50 with a feature pyramid network."""
    own: dict[str, Any] = {"encoder": "resnet50", "output_stride": 8, "width": 256}
    return fpn_resnet18(**(own | settings))


def normalize(config: c.Config) -> c.Config:
    """Three channels, normalised as the published weights of the encoder need it."""
    assert isinstance(config.network, encoders.EncoderConfig)
    encoder = encoders.ENCODERS[config.network.encoder]
    config.data.channels, config.data.mean, config.data.std = 3, encoder.mean, encoder.std
    return config


NETWORKS: dict[str, Callable[..., c.NetworkConfig]] = {
    function.__name__: function
    for function in (
        unet,
        efficientnet_lite0,
        deeplabv3plus_resnet18,
        deeplabv3plus_resnet50,
        deeplabv3plus_cpcl,
        deeplabv3plus_u2pl,
        pspnet_resnet18,
        pspnet_resnet50,
        fpn_resnet18,
        fpn_resnet50,
    )
}


def choose(config: c.Config, name: str) -> None:
    """Gives a configuration a network of `NETWORKS` in place, and images as its weights need them.

    Methods add decoders to the network that they find: this comes before them.
    """
    config.network = NETWORKS[name]()
    if config.network.pretrained == encoders.IMAGENET:
        normalize(config)
