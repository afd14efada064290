"""PSPNet's decoder (Zhao et al. 2017), as in ST++ and PPL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, Head
from uaps_jax.models import encoders, layers, pooling, resize
from uaps_jax.models.interfaces import Decoded, Pyramid
from uaps_jax.models.network import Network
from uaps_jax.weights import decoders

DROPOUT = 0.1  # in front of the output layer


@dataclass(slots=True, kw_only=True)
class PSPNetConfig(encoders.EncoderConfig):
    name: ClassVar[str] = "pspnet"

    # numbers of regions per side that features are averaged over
    bins: tuple[int, ...] = field(metadata=c.each(c.at_least(1)))

    def published_decoders(self) -> decoders.Published:
        return ((decoders.PSPNET_PPL, decoders.as_it_is),)


class Decoder(nn.Module):
    """The coarsest level beside its means over regions, and two convolutions.

    Attributes:
      classes: output channels.
      stride: of the coarsest level.
      bins: numbers of regions per side.
      dtype: compute type.
    """

    classes: int
    stride: int
    bins: Sequence[int]
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid to logits `[B, H, W, classes]` and features `[B, H / s, W / s, C / 4]`."""
        x = pyramid[-1]
        height, width, channels = x.shape[1:]

        def unit(y: jax.Array, kernel: int, name: str) -> jax.Array:
            made = layers.conv(channels // 4, kernel, self.dtype, f"{name}_conv", bias=False)
            norm = layers.BatchNorm(self.dtype, name=f"{name}_norm")
            return nn.relu(norm(made(y), train=train, parts=parts))

        levels = [x]
        for number, bins in enumerate(self.bins):
            means = unit(pooling.adaptive_mean(x, bins), 1, f"pool_{number}")
            levels.append(resize.resize(means, height, width))
        joined = jnp.concatenate(levels, axis=-1)
        features = unit(joined, 3, "head")
        y = layers.drop_elements(self, features, DROPOUT, train=train)
        logits = layers.conv(self.classes, 1, self.dtype, "classifier")(y)
        return Decoded(
            resize.resize(logits, self.stride * height, self.stride * width), features, joined
        )


def build(config: Config, heads: Mapping[str, Head]) -> Network:
    """The network that `config.network` describes, with the extra heads."""
    options = config.network
    assert isinstance(options, PSPNetConfig)
    return encoders.network(
        config,
        heads,
        lambda strides, dtype: Decoder(config.data.classes, strides[-1], options.bins, dtype),
    )
