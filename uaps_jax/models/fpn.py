"""A feature pyramid network as decoder (Lin et al. 2017; Kirillov et al. 2019), as in PPL's code.

It has neither normalisation nor activations.
"""

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
from uaps_jax.weights import decoders

FINEST = 4  # stride of the finest level that is read


@dataclass(slots=True, kw_only=True)
class FPNConfig(encoders.EncoderConfig):
    name: ClassVar[str] = "fpn"

    width: int = field(metadata=c.at_least(2))  # channels of the levels; half of it in the output

    def published_decoders(self) -> decoders.Published:
        return ((decoders.FPN_PPL, decoders.as_it_is),)

    def problems(self, config: Config) -> Iterator[str]:
        yield from encoders.EncoderConfig.problems(self, config)
        yield from c.check(config, "network.width", self.width % 2 == 0, "must be even")


class Decoder(nn.Module):
    """Levels added from the coarsest to the finest, smoothed, concatenated at stride 4.

    Attributes:
      classes: output channels.
      strides: of the levels of the pyramid.
      width: channels of the levels.
      dtype: compute type.
    """

    classes: int
    strides: Sequence[int]
    width: int
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid to logits `[B, H, W, classes]` and features `[B, H / 4, W / 4, F]`."""
        del train, parts  # it has no batch normalisation

        first = self.strides.index(FINEST)
        height, width = pyramid[first].shape[1:3]
        joined = None
        smoothed = []
        for level in reversed(range(first, len(pyramid))):
            x = layers.conv(self.width, 1, self.dtype, f"lateral_{level}")(pyramid[level])
            joined = x if joined is None else resize.resize(joined, *x.shape[1:3]) + x
            y = layers.conv(self.width, 3, self.dtype, f"smooth_{level}_0")(joined)
            y = layers.conv(self.width // 2, 3, self.dtype, f"smooth_{level}_1")(y)
            smoothed.append(resize.resize(y, height, width))
        features = jnp.concatenate(smoothed, axis=-1)
        logits = layers.conv(self.classes, 3, self.dtype, "classifier")(features)
        return Decoded(resize.resize(logits, FINEST * height, FINEST * width), features, features)


def build(config: Config, heads: Mapping[str, Head]) -> Network:
    """The network that `config.network` describes, with the extra heads."""
    options = config.network
    assert isinstance(options, FPNConfig)
    return encoders.network(
        config,
        heads,
        lambda strides, dtype: Decoder(config.data.classes, strides, options.width, dtype),
    )
