"""The U-Net's decoder on any encoder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, Head
from uaps_jax.models import encoders, layers, resize
from uaps_jax.models.interfaces import Decoded, Pyramid
from uaps_jax.models.network import Network
from uaps_jax.models.unet import ConvBlock


@dataclass(slots=True, kw_only=True)
class UNetDecoderConfig(encoders.EncoderConfig):
    name: ClassVar[str] = "unet_decoder"

    # channels of the decoder at every level but the coarsest, from the finest
    widths: tuple[int, ...] = field(metadata=c.each(c.at_least(1)))

    def problems(self, config: Config) -> Iterator[str]:
        yield from encoders.EncoderConfig.problems(self, config)
        count = encoders.LEVELS - 1
        yield from c.check(
            config,
            "network.widths",
            len(self.widths) == count,
            f"needs {count} numbers, one per level but the coarsest",
        )


class Decoder(nn.Module):
    """Per level: 1x1 conv, bilinear to the finer level, concat [skip, up], `ConvBlock`.

    It ends at the finest level, whose logits are resized to the images.

    Attributes:
      classes: output channels.
      stride: of the finest level.
      widths: channels at every level but the coarsest, from the finest.
      dtype: compute type.
    """

    classes: int
    stride: int
    widths: Sequence[int]
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid to logits `[B, H, W, classes]` and features `[B, H / s, W / s, F]`."""
        x = pyramid[-1]
        for level in reversed(range(len(self.widths))):
            skip, width = pyramid[level], self.widths[level]
            x = layers.conv(width, 1, self.dtype, f"reduce_{level}")(x)
            x = jnp.concatenate([skip, resize.resize(x, *skip.shape[1:3])], axis=-1)
            block = ConvBlock(width, 0.0, self.dtype, name=f"block_{level}")
            x = block(x, train=train, parts=parts)
        logits = layers.conv(self.classes, 3, self.dtype, "classifier")(x)
        height, width = (self.stride * side for side in x.shape[1:3])
        return Decoded(resize.resize(logits, height, width), x, x)


def build(config: Config, heads: Mapping[str, Head]) -> Network:
    """The network that `config.network` describes, with the extra heads."""
    options = config.network
    assert isinstance(options, UNetDecoderConfig)
    return encoders.network(
        config,
        heads,
        lambda strides, dtype: Decoder(config.data.classes, strides[0], options.widths, dtype),
    )
