"""A plain encoder with the decoder of the U-Net: a network in a file of its own.

uaps-jax --config=examples/my_network.py:dataset=neu,method=cps,variant=small
"""

from dataclasses import dataclass, field
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax import models
from uaps_jax.configs import train
from uaps_jax.models import layers, perturb, pooling, unet
from uaps_jax.models.network import Network


@dataclass(slots=True, kw_only=True)
class PlainConfig(c.NetworkConfig):
    name: ClassVar[str] = "plain"
    stride: ClassVar[int] = 4  # three levels
    width: int = field(metadata=c.at_least(1))  # channels of the first one


class Encoder(nn.Module):
    widths: tuple[int, ...]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, *, train, parts=1):
        pyramid = []
        for level, width in enumerate(self.widths):
            x = pooling.max_pool_2x2(x) if level else x
            x = layers.conv(width, 3, self.dtype, f"conv_{level}")(x)
            x = layers.BatchNorm(self.dtype, name=f"norm_{level}")(x, train=train, parts=parts)
            pyramid.append(x := nn.relu(x))
        return pyramid


def build(config, heads):
    options, dtype = config.network, jnp.dtype(config.network.dtype)
    widths = tuple(options.width * 2**level for level in range(3))
    return Network(
        encoder=Encoder(widths, dtype),
        decoder=unet.Decoder(widths, config.data.classes, dtype),
        channels=config.data.channels,
        classes=config.data.classes,
        stride=options.stride,
        auxiliary=options.auxiliary,
        perturbations=perturb.published(options),
        heads=heads,
        dtype=dtype,
    )


def get_config(argument="dataset=synthetic,method=uaps"):
    config = train.get_config(argument)
    config.network = PlainConfig.like(config.network, width=16)
    return config


models.register(PlainConfig, build)
