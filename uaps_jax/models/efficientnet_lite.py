"""EfficientNet-Lite0 as an encoder (Tan and Le 2019; Liu 2020, "EfficientNet-Lite").

EfficientNet-B0 without squeeze and excitation and with ReLU6 in place of swish. Padding is
TensorFlow's "SAME" and batch normalisation has its epsilon, as in the published weights.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax.models import depthwise, layers
from uaps_jax.models.freezing import NOTHING, Freezing
from uaps_jax.models.operations import operation

EPSILON = 1e-3
MOMENTUM = 0.01  # of the running statistics
STEM = 32  # channels of the first convolution


@dataclasses.dataclass(frozen=True)
class Group:
    """Blocks of one form.

    Attributes:
      level: of the pyramid, whose stride is 2^(level + 1).
      kernel: side of the depthwise convolution.
      count: number of blocks.
      features: output channels.
      expansion: channels of the depthwise convolution, as a multiple of the block's input.
      stride: of the first block.
    """

    level: int
    kernel: int
    count: int
    features: int
    expansion: int
    stride: int


GROUPS = (
    Group(level=0, kernel=3, count=1, features=16, expansion=1, stride=1),
    Group(level=1, kernel=3, count=2, features=24, expansion=6, stride=2),
    Group(level=2, kernel=5, count=2, features=40, expansion=6, stride=2),
    Group(level=3, kernel=3, count=3, features=80, expansion=6, stride=2),
    Group(level=3, kernel=5, count=3, features=112, expansion=6, stride=1),
    Group(level=4, kernel=5, count=4, features=192, expansion=6, stride=2),
    Group(level=4, kernel=3, count=1, features=320, expansion=6, stride=1),
)
LEVELS = 5


@operation
def relu6(x: jax.Array) -> jax.Array:
    """min(max(x, 0), 6); the gradient is zero at 0 and 6, as in PyTorch."""
    return jnp.where((x > 0) & (x < 6), x, jax.lax.stop_gradient(jnp.clip(x, 0, 6)))


def same_padding(kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "SAME" for sides that are multiples of the stride, 1 or 2."""
    total = kernel - stride
    return total // 2, total - total // 2


class ConvNorm(nn.Module):
    """A convolution without bias and batch normalisation.

    Attributes:
      features: output channels; None for a depthwise convolution.
      kernel: side of the kernel.
      stride: 1 or 2.
      dtype: compute type.
    """

    features: int | None
    kernel: int
    stride: int = 1
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / stride, W / stride, features]`."""
        padding = same_padding(self.kernel, self.stride)
        if self.features is None:
            x = depthwise.Depthwise(self.kernel, self.stride, padding, self.dtype, name="conv")(x)
        else:
            x = layers.conv(
                self.features,
                self.kernel,
                self.dtype,
                "conv",
                stride=self.stride,
                padding=padding,
                bias=False,
            )(x)
        norm = layers.BatchNorm(self.dtype, momentum=MOMENTUM, epsilon=EPSILON, name="norm")
        return norm(x, train=train, parts=parts)


class Block(nn.Module):
    """Expansion (1x1), depthwise convolution, projection (1x1); residual where the shape stays.

    Attributes:
      group: the form.
      stride: of this block.
      dtype: compute type.
    """

    group: Group
    stride: int
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / stride, W / stride, features]`."""
        y = x
        if self.group.expansion != 1:
            expand = ConvNorm(self.group.expansion * x.shape[-1], 1, 1, self.dtype, name="expand")
            y = relu6(expand(y, train=train, parts=parts))
        middle = ConvNorm(None, self.group.kernel, self.stride, self.dtype, name="depthwise")
        y = relu6(middle(y, train=train, parts=parts))
        project = ConvNorm(self.group.features, 1, 1, self.dtype, name="project")
        y = project(y, train=train, parts=parts)
        return x + y if x.shape == y.shape else y


class Level(nn.Module):
    """The stem and the blocks of one stride.

    Attributes:
      number: of the level.
      dtype: compute type.
    """

    number: int
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / 2, W / 2, F]`."""
        if self.number == 0:
            stem = ConvNorm(STEM, 3, 2, self.dtype, name="stem")
            x = relu6(stem(x, train=train, parts=parts))
        first = sum(group.count for group in GROUPS if group.level < self.number)
        for group in (group for group in GROUPS if group.level == self.number):
            for index in range(group.count):
                stride = 1 if index else group.stride
                block = Block(group, stride, self.dtype, name=f"block_{first + index}")
                x = block(x, train=train, parts=parts)
            first += group.count
        return x


class EfficientNetLite0(nn.Module):
    """Five levels of strides 2, 4, 8, 16 and 32, without the classifier.

    Attributes:
      freezing: which levels are trained.
      dtype: compute type.
    """

    freezing: Freezing = NOTHING
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> list[jax.Array]:
        """Images `[B, H, W, C]` to the pyramid."""
        pyramid: list[jax.Array] = []
        for number in range(LEVELS):
            updates = train and self.freezing.updates_statistics(number)
            level = Level(number, self.dtype, name=f"level_{number}")
            x = self.freezing.cut(level(x, train=updates, parts=parts), number)
            pyramid.append(x)
        return pyramid
