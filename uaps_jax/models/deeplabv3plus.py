"""DeepLabV3+'s decoder (Chen et al. 2018) in the forms of three published codes."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, Head
from uaps_jax.models import encoders, layers, pooling, resize
from uaps_jax.models.interfaces import Decoded, Pyramid
from uaps_jax.models.network import Network
from uaps_jax.weights import decoders

LOW_STRIDE = 4
"""Stride of the fine level that the decoder reads beside the coarsest."""
WIDTH = 256  # channels of the convolutions behind the concatenation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """What the published codes do differently.

    Attributes:
      pool: where the pooled features join the other branches of the pyramid pooling: concatenated
        with them, or added behind the projection.
      project: side of the projection's kernel.
      leaky: whether the activations of the pyramid pooling are LeakyReLU, not ReLU.
      pooling_dropout: rate of the channels that are dropped behind the projection.
      low_width: channels of the fine level.
      bias: whether the convolution of the fine level and the two behind the concatenation have a
        bias.
      head_dropout: rate in front of the output layer.
      dropout_of: what the head's dropout drops: single elements in front of the output layer, or
        channels behind both convolutions.
    """

    pool: Literal["concatenated", "added"]
    project: int
    leaky: bool
    pooling_dropout: float
    low_width: int
    bias: bool
    head_dropout: float
    dropout_of: Literal["elements", "channels"]


FORMS = {
    "ppl": Form(
        pool="concatenated",
        project=1,
        leaky=False,
        pooling_dropout=0.5,
        low_width=48,
        bias=False,
        head_dropout=0.1,
        dropout_of="elements",
    ),
    "cpcl": Form(
        pool="added",
        project=1,
        leaky=True,
        pooling_dropout=0.0,
        low_width=48,
        bias=False,
        head_dropout=0.0,
        dropout_of="elements",
    ),
    "u2pl": Form(
        pool="concatenated",
        project=3,
        leaky=False,
        pooling_dropout=0.1,
        low_width=256,
        bias=True,
        head_dropout=0.1,
        dropout_of="channels",
    ),
}
"""ST++ and PPL; CPS, CPCL and DUEB; U2PL."""


@dataclass(slots=True, kw_only=True)
class DeepLabV3PlusConfig(encoders.EncoderConfig):
    name: ClassVar[str] = "deeplabv3plus"

    form: Literal["ppl", "cpcl", "u2pl"]  # the published code that the decoder is taken from
    pooling_width: int = field(metadata=c.at_least(1))  # channels of the pyramid pooling
    # dilations of its 3x3 convolutions
    pooling_rates: tuple[int, ...] = field(metadata=c.each(c.at_least(1)))

    def published_decoders(self) -> decoders.Published:
        return (decoders.DEEPLABV3PLUS[self.form],)


class PyramidPooling(nn.Module):
    """Atrous spatial pyramid pooling: 1x1, dilated 3x3 and pooled features, projected.

    Attributes:
      width: channels of each branch and of the output.
      rates: dilations.
      form: of the published code.
      dtype: compute type.
    """

    width: int
    rates: Sequence[int]
    form: Form
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H, W, width]`."""

        def conv(y: jax.Array, name: str, kernel: int = 1, dilation: int = 1) -> jax.Array:
            made = layers.conv(self.width, kernel, self.dtype, name, dilation=dilation, bias=False)
            return made(y)

        def norm(y: jax.Array, name: str) -> jax.Array:
            y = layers.BatchNorm(self.dtype, name=name)(y, train=train, parts=parts)
            return layers.leaky_relu(y) if self.form.leaky else nn.relu(y)

        pooled = norm(conv(pooling.global_mean(x), "pool_conv"), "pool_norm")
        branches = [norm(conv(x, "conv_0"), "norm_0")]
        for number, rate in enumerate(self.rates, start=1):
            branches.append(norm(conv(x, f"conv_{number}", 3, rate), f"norm_{number}"))
        if self.form.pool == "concatenated":
            branches.append(resize.resize(pooled, *x.shape[1:3]))
        y = conv(jnp.concatenate(branches, axis=-1), "project_conv", self.form.project)
        if self.form.pool == "added":
            y = y + conv(pooled, "pool_project")
        y = norm(y, "project_norm")
        return layers.drop_channels(self, y, self.form.pooling_dropout, train=train)


class Decoder(nn.Module):
    """Pyramid pooling of the coarsest level, joined with the level of stride 4.

    Attributes:
      classes: output channels.
      strides: of the levels of the pyramid.
      width: channels of the pyramid pooling.
      rates: its dilations.
      form: of the published code.
      dtype: compute type.
    """

    classes: int
    strides: Sequence[int]
    width: int
    rates: Sequence[int]
    form: Form
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid to logits `[B, H, W, classes]` and features `[B, H / 4, W / 4, 256]`."""
        form = self.form

        def unit(y: jax.Array, features: int, kernel: int, name: str) -> jax.Array:
            made = layers.conv(features, kernel, self.dtype, f"{name}_conv", bias=form.bias)
            norm = layers.BatchNorm(self.dtype, name=f"{name}_norm")
            return nn.relu(norm(made(y), train=train, parts=parts))

        pool = PyramidPooling(self.width, self.rates, form, self.dtype, name="pooling")
        coarse = pool(pyramid[-1], train=train, parts=parts)
        low = unit(pyramid[self.strides.index(LOW_STRIDE)], form.low_width, 1, "low")
        height, width = low.shape[1:3]
        x = jnp.concatenate([low, resize.resize(coarse, height, width)], axis=-1)
        joined = x
        for number in (0, 1):
            x = unit(x, WIDTH, 3, f"head_{number}")
            if form.dropout_of == "channels":
                x = layers.drop_channels(self, x, form.head_dropout, train=train)
        features = x
        if form.dropout_of == "elements":
            x = layers.drop_elements(self, x, form.head_dropout, train=train)
        logits = layers.conv(self.classes, 1, self.dtype, "classifier")(x)
        return Decoded(
            resize.resize(logits, LOW_STRIDE * height, LOW_STRIDE * width), features, joined
        )


def build(config: Config, heads: Mapping[str, Head]) -> Network:
    """The network that `config.network` describes, with the extra heads."""
    options = config.network
    assert isinstance(options, DeepLabV3PlusConfig)
    return encoders.network(
        config,
        heads,
        lambda strides, dtype: Decoder(
            config.data.classes,
            strides,
            options.pooling_width,
            options.pooling_rates,
            FORMS[options.form],
            dtype,
        ),
    )
