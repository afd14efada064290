"""EfficientNet-Lite0 with the U-Net's decoder in PyTorch, for `network_parity` and `network_step`.

Modules of the encoder have the names of the published weights, those of the decoder ours.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.torch_networks import up

BLOCKS = (
    # kernel, count, output channels, expansion, stride
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
LAST = (0, 2, 4, 10, 15)  # block whose output is level 0, 1, ...
CHANNELS = (16, 24, 40, 112, 320)


class Same(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding for even sides."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = self.kernel_size[0] - self.stride[0]
        low, high = total // 2, total - total // 2
        if low == high:
            return F.conv2d(x, self.weight, None, self.stride, low, 1, self.groups)
        padded = F.pad(x, (low, high, low, high))
        return F.conv2d(padded, self.weight, None, self.stride, 0, 1, self.groups)


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        middle = inputs * expansion
        if expansion != 1:
            self._expand_conv, self._bn0 = Same(inputs, middle, 1, bias=False), norm(middle)
        self._depthwise_conv = Same(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = norm(middle)
        self._project_conv, self._bn2 = Same(middle, outputs, 1, bias=False), norm(outputs)
        self.expands, self.adds = expansion != 1, stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class Twice(nn.Module):
    """Twice convolution, batch normalisation, LeakyReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_0, self.norm_0 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.conv_1, self.norm_1 = (
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.norm_0(self.conv_0(x)))
        return F.leaky_relu(self.norm_1(self.conv_1(x)))


class Lite0UNet(nn.Module):
    """EfficientNet-Lite0 and the light decoder of `network=efficientnet_lite0`."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
        blocks, inputs = [], 32
        for kernel, count, outputs, expansion, stride in BLOCKS:
            for index in range(count):
                blocks.append(Block(inputs, outputs, kernel, expansion, 1 if index else stride))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        above = CHANNELS[-1]
        for level in reversed(range(len(widths))):
            setattr(self, f"reduce_{level}", nn.Conv2d(above, widths[level], 1))
            joined = CHANNELS[level] + widths[level]
            setattr(self, f"block_{level}", Twice(joined, widths[level]))
            above = widths[level]
        self.widths = widths
        self.classifier = nn.Conv2d(above, classes, 3, padding=1)

    def levels(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        found = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in LAST:
                found.append(x)
        return found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        levels = self.levels(images)
        x: Any = levels[-1]
        for level in reversed(range(len(self.widths))):
            x = up(getattr(self, f"reduce_{level}")(x), levels[level])
            x = getattr(self, f"block_{level}")(torch.cat([levels[level], x], 1))
        return up(self.classifier(x), images)
