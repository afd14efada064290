"""The U-Net of UAPS: five levels of convolution blocks and a bilinear decoder (released code)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, Head
from uaps_jax.models import layers, perturb, pooling, resize
from uaps_jax.models.interfaces import Decoded, Pyramid
from uaps_jax.models.network import Network
from uaps_jax.weights import decoders
from uaps_jax.weights import unet as unet_names
from uaps_jax.weights.names import Table


@dataclass(slots=True, kw_only=True)
class UNetConfig(c.NetworkConfig):
    name: ClassVar[str] = "unet"

    widths: tuple[int, ...] = field(  # encoder channels per level
        metadata=c.rule(
            lambda v: len(v) >= 2 and all(w > 0 for w in v), "needs two or more positive numbers"
        )
    )
    dropout: tuple[float, ...] = field(metadata=c.each(c.below_one()))  # encoder dropout per level

    def published_encoder(self) -> Table:
        return unet_names.ENCODER

    def published_decoders(self) -> decoders.Published:
        return tuple((table, decoders.as_it_is) for table in unet_names.decoders(self.auxiliary))

    @property
    def stride(self) -> int:
        """Sides of images must be multiples of it."""
        return int(2 ** max(len(self.widths) - 1, 0))

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.NetworkConfig.problems(self, config)
        yield from c.check(
            config,
            "network.dropout",
            len(self.dropout) == len(self.widths),
            f"needs {len(self.widths)} rates, one per level",
        )


class ConvBlock(nn.Module):
    """Conv 3x3, BN, LeakyReLU, dropout, conv 3x3, BN, LeakyReLU.

    Attributes:
      features: output channels.
      rate: dropout rate between the two convolutions.
      dtype: compute type; parameters and statistics stay float32.
    """

    features: int
    rate: float = 0.0
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H, W, features]`."""
        x = layers.conv(self.features, 3, self.dtype, "conv_0")(x)
        x = layers.BatchNorm(self.dtype, name="norm_0")(x, train=train, parts=parts)
        x = layers.leaky_relu(x)
        x = layers.drop_elements(self, x, self.rate, train=train)
        x = layers.conv(self.features, 3, self.dtype, "conv_1")(x)
        x = layers.BatchNorm(self.dtype, name="norm_1")(x, train=train, parts=parts)
        return layers.leaky_relu(x)


class Encoder(nn.Module):
    """A `ConvBlock` per level, with 2x2 max pooling before all levels but the first.

    Attributes:
      widths: channels per level.
      rates: dropout rate per level.
      dtype: compute type.
    """

    widths: Sequence[int]
    rates: Sequence[float]
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> list[jax.Array]:
        """Images `[B, H, W, C]` to the pyramid, level l `[B, H / 2^l, W / 2^l, widths[l]]`."""
        pyramid: list[jax.Array] = []
        for level, (width, rate) in enumerate(zip(self.widths, self.rates, strict=True)):
            x = pooling.max_pool_2x2(x) if level else x
            block = ConvBlock(width, rate, dtype=self.dtype, name=f"block_{level}")
            x = block(x, train=train, parts=parts)
            pyramid.append(x)
        return pyramid


class Decoder(nn.Module):
    """Per level: 1x1 conv, bilinear x2 (aligned corners), concat [skip, up], `ConvBlock`.

    The released configuration has `bilinear: False`, but the released code does not pass it to
    the decoder: the published network and its parameter count are those of the bilinear decoder.

    Attributes:
      widths: channels per level of the pyramid.
      classes: output channels.
      dtype: compute type.
    """

    widths: Sequence[int]
    classes: int
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid to logits `[B, H, W, classes]` and features `[B, H, W, widths[0]]`."""
        x = pyramid[-1]
        for level in reversed(range(len(self.widths) - 1)):
            width = self.widths[level]
            x = resize.upsample(layers.conv(width, 1, self.dtype, f"reduce_{level}")(x))
            x = jnp.concatenate([pyramid[level], x], axis=-1)
            block = ConvBlock(width, 0.0, self.dtype, name=f"block_{level}")
            x = block(x, train=train, parts=parts)
        logits = layers.conv(self.classes, 3, self.dtype, "classifier")(x)
        return Decoded(logits, x, x)


def build(config: Config, heads: Mapping[str, Head]) -> Network:
    """The U-Net that `config.network` describes, with the extra heads."""
    options = config.network
    assert isinstance(options, UNetConfig)
    dtype = jnp.dtype(options.dtype)
    return Network(
        encoder=Encoder(options.widths, options.dropout, dtype),
        decoder=Decoder(options.widths, config.data.classes, dtype),
        channels=config.data.channels,
        classes=config.data.classes,
        stride=options.stride,
        auxiliary=options.auxiliary,
        perturbations=perturb.published(options),
        heads=heads,
        dtype=dtype,
    )
