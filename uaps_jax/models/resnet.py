"""ResNets as encoders (He et al. 2016), with the layers and names of torchvision's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax.models import layers, pooling
from uaps_jax.models.freezing import NOTHING, Freezing

WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions of levels 1 to 4
EXPANSION = 4  # output channels of a bottleneck block, as a multiple of its width


@dataclasses.dataclass(frozen=True)
class Variant:
    """A depth of ResNet.

    Attributes:
      blocks: per level 1 to 4.
      bottleneck: blocks of 1x1, 3x3 and 1x1 convolutions in place of two 3x3 convolutions.
      deep_stem: three 3x3 convolutions of 64, 64 and 128 channels in place of one 7x7 (ResNet-C).
    """

    blocks: tuple[int, int, int, int]
    bottleneck: bool
    deep_stem: bool = False


VARIANTS = {
    "resnet18": Variant((2, 2, 2, 2), bottleneck=False),
    "resnet34": Variant((3, 4, 6, 3), bottleneck=False),
    "resnet50": Variant((3, 4, 6, 3), bottleneck=True),
    "resnet50_deep": Variant((3, 4, 6, 3), bottleneck=True, deep_stem=True),
    "resnet101": Variant((3, 4, 23, 3), bottleneck=True),
    "resnet101_deep": Variant((3, 4, 23, 3), bottleneck=True, deep_stem=True),
}


@dataclasses.dataclass(frozen=True)
class Level:
    """The geometry of one of the levels 1 to 4.

    Attributes:
      stride: of its first block.
      dilations: per block, those of its first and its second 3x3 convolution; a bottleneck block
        has the first only.
    """

    stride: int
    dilations: tuple[tuple[int, int], ...]


def levels(
    blocks: Sequence[int], output_stride: int, multi_grid: Sequence[int]
) -> tuple[Level, ...]:
    """The geometry of levels 1 to 4 for an output stride of 8, 16 or 32.

    Where the stride of a level would exceed the output stride, the level keeps its size and the
    dilation of what follows doubles; the first convolution of the level has the dilation of the
    level before (torchvision's `replace_stride_with_dilation`).

    Args:
      blocks: number of blocks per level.
      output_stride: of level 4.
      multi_grid: factors on the dilations of the blocks of level 4 (DeepLabV3, Chen et al. 2017);
        further blocks have the last factor; without factors it is 1.
    """
    result = []
    reached, dilation = 4, 1
    for level, count in enumerate(blocks, start=1):
        before, stride = dilation, 1
        if level > 1 and reached < output_stride:
            stride, reached = 2, reached * 2
        elif level > 1:
            dilation *= 2
        factors = [1] * count
        if level == len(blocks) and multi_grid:
            factors = [multi_grid[min(i, len(multi_grid) - 1)] for i in range(count)]
        dilations = tuple(
            ((dilation if block else before) * factor, dilation * factor)
            for block, factor in enumerate(factors)
        )
        result.append(Level(stride, dilations))
    return tuple(result)


class Stem(nn.Module):
    """One 7x7 convolution or three 3x3 ones, with batch normalisation and ReLU, of stride 2.

    Attributes:
      deep: three convolutions.
      dtype: compute type.
    """

    deep: bool
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / 2, W / 2, 64]`; 128 channels if it is deep."""
        if not self.deep:
            x = layers.conv(64, 7, self.dtype, "conv", stride=2, bias=False)(x)
            x = layers.BatchNorm(self.dtype, name="norm")(x, train=train, parts=parts)
            return nn.relu(x)
        for number, features in enumerate((64, 64, 128)):
            stride = 1 if number else 2
            conv = layers.conv(features, 3, self.dtype, f"conv_{number}", stride=stride, bias=False)
            norm = layers.BatchNorm(self.dtype, name=f"norm_{number}")
            x = nn.relu(norm(conv(x), train=train, parts=parts))
        return x


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or a bottleneck; its stride is in the first 3x3.

    Attributes:
      width: channels of the 3x3 convolutions.
      bottleneck: 1x1, 3x3 and 1x1 convolutions, the last of `EXPANSION * width` channels.
      stride: of the block.
      dilations: as in `Level`.
      dtype: compute type.
    """

    width: int
    bottleneck: bool
    stride: int
    dilations: tuple[int, int]
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / stride, W / stride, F]`."""

        def norm(y: jax.Array, name: str) -> jax.Array:
            return layers.BatchNorm(self.dtype, name=name)(y, train=train, parts=parts)

        first = self.dilations[0]
        convs = [(self.width, 3, self.stride, first), (self.width, 3, 1, self.dilations[-1])]
        if self.bottleneck:
            convs = [
                (self.width, 1, 1, 1),
                (self.width, 3, self.stride, first),
                (EXPANSION * self.width, 1, 1, 1),
            ]
        y = x
        for number, (features, kernel, stride, dilation) in enumerate(convs, start=1):
            conv = layers.conv(
                features,
                kernel,
                self.dtype,
                f"conv_{number}",
                stride=stride,
                dilation=dilation,
                bias=False,
            )
            y = norm(conv(y), f"norm_{number}")
            y = y if number == len(convs) else nn.relu(y)
        if x.shape != y.shape:
            shortcut = layers.conv(
                y.shape[-1], 1, self.dtype, "shortcut_conv", stride=self.stride, bias=False
            )
            x = norm(shortcut(x), "shortcut_norm")
        return nn.relu(x + y)


class Stage(nn.Module):
    """The blocks of one of the levels 1 to 4.

    Attributes:
      width: channels of the 3x3 convolutions.
      bottleneck: as in `Block`.
      level: strides and dilations.
      dtype: compute type.
    """

    width: int
    bottleneck: bool
    level: Level
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / stride, W / stride, F]`."""
        for number, dilations in enumerate(self.level.dilations):
            stride = 1 if number else self.level.stride
            block = Block(
                self.width, self.bottleneck, stride, dilations, self.dtype, name=f"block_{number}"
            )
            x = block(x, train=train, parts=parts)
        return x


class ResNet(nn.Module):
    """The stem and four levels of blocks; its pyramid has the strides 2, 4, 8, 16 and 32.

    With an output stride of 16 or 8, the last strides are that one.

    Attributes:
      variant: depth and form of the blocks.
      output_stride: of the last level.
      multi_grid: as in `levels`.
      freezing: which levels are trained.
      dtype: compute type.
    """

    variant: Variant
    output_stride: int = 32
    multi_grid: Sequence[int] = ()
    freezing: Freezing = NOTHING
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> list[jax.Array]:
        """Images `[B, H, W, C]` to the pyramid."""
        pyramid: list[jax.Array] = []
        geometry = levels(self.variant.blocks, self.output_stride, self.multi_grid)
        stages: list[nn.Module] = [Stem(self.variant.deep_stem, self.dtype, name="level_0")]
        stages += [
            Stage(width, self.variant.bottleneck, level, self.dtype, name=f"level_{number}")
            for number, (width, level) in enumerate(zip(WIDTHS, geometry, strict=True), start=1)
        ]
        for number, stage in enumerate(stages):
            updates = train and self.freezing.updates_statistics(number)
            x = pooling.max_pool_3x3(x) if number == 1 else x
            x = self.freezing.cut(stage(x, train=updates, parts=parts), number)
            pyramid.append(x)
        return pyramid
