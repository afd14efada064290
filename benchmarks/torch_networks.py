"""PyTorch's side of `network_parity`: torchvision's ResNets and the decoders of published codes.

The decoders are transcriptions of the descriptions of ST++ and PPL, CPS and CPCL, and U2PL; their
modules have the names of these codes, so that the tables in `uaps_jax/weights/` can be tried.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet

BASIC = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}
BOTTLENECK = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3]}


def up(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Bilinear with aligned corners, to the size of another array."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


def unit(
    inputs: int, outputs: int, kernel: int = 1, rate: int = 1, bias: bool = False
) -> list[Any]:
    """Convolution, batch normalisation, ReLU."""
    conv = nn.Conv2d(
        inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate, bias=bias
    )
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def backbone(depth: int, stride: int, *, deep: bool, grid: tuple[int, ...]) -> Any:
    """torchvision's ResNet with dilations for strides, a deep stem and a multi-grid."""
    block: Any = resnet.BasicBlock if depth in BASIC else resnet.Bottleneck
    dilate = [False, stride == 8, stride <= 16]
    net: Any = resnet.ResNet(
        block,
        (BASIC | BOTTLENECK)[depth],
        replace_stride_with_dilation=dilate if depth in BOTTLENECK else None,
    )
    if deep:
        stem = [*unit(3, 64, 3), *unit(64, 64, 3), nn.Conv2d(64, 128, 3, padding=1, bias=False)]
        stem[0].stride = (2, 2)
        net.conv1, net.bn1 = nn.Sequential(*stem), nn.BatchNorm2d(128)
        net.layer1[0].conv1 = nn.Conv2d(128, 64, 1, bias=False)
        net.layer1[0].downsample[0] = nn.Conv2d(128, 256, 1, bias=False)
    for factor, one in zip(grid, net.layer4, strict=False):
        rate = one.conv2.dilation[0] * factor
        one.conv2.dilation = one.conv2.padding = (rate, rate)
    return net


class Network(nn.Module):
    """A backbone, a decoder that reads its four levels, and bilinear upsampling to the images."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.backbone = net

    def levels(self, x: torch.Tensor) -> list[torch.Tensor]:
        net = self.backbone
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        found = []
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            found.append(x)
        return found

    def decode(self, levels: list[torch.Tensor]) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return up(self.decode(self.levels(x)), x)


class Pooled(nn.Module):
    """The mean of the image, 1x1, on the whole map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.gap = nn.Sequential(nn.AdaptiveAvgPool2d(1), *unit(inputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return up(self.gap(x), x)


class PPLPooling(nn.Module):
    def __init__(self, inputs: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = nn.Sequential(*unit(inputs, width))
        self.b1, self.b2, self.b3 = (nn.Sequential(*unit(inputs, width, 3, r)) for r in rates)
        self.b4 = Pooled(inputs, width)
        self.project = nn.Sequential(*unit(5 * width, width), nn.Dropout2d(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = (self.b0, self.b1, self.b2, self.b3, self.b4)
        return self.project(torch.cat([branch(x) for branch in branches], 1))


class PPL(Network):
    """ST++'s and PPL's DeepLabV3+."""

    def __init__(self, net: nn.Module, classes: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__(net)
        low, high = _channels(net)
        self.head = PPLPooling(high, width, rates)
        self.reduce = nn.Sequential(*unit(low, 48))
        self.fuse = nn.Sequential(*unit(width + 48, 256, 3), *unit(256, 256, 3), nn.Dropout(0.1))
        self.classifier = nn.Conv2d(256, classes, 1)

    def decode(self, levels: list[torch.Tensor]) -> torch.Tensor:
        low = self.reduce(levels[0])
        return self.classifier(self.fuse(torch.cat([low, up(self.head(levels[3]), low)], 1)))


class CPCLPooling(nn.Module):
    def __init__(self, inputs: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        convs = [nn.Conv2d(inputs, width, 1, bias=False)]
        convs += [
            nn.Conv2d(inputs, width, 3, padding=rate, dilation=rate, bias=False) for rate in rates
        ]
        self.map_convs = nn.ModuleList(convs)
        self.map_bn = nn.BatchNorm2d(4 * width)
        self.global_pooling_conv = nn.Conv2d(inputs, width, 1, bias=False)
        self.global_pooling_bn = nn.BatchNorm2d(width)
        self.red_conv = nn.Conv2d(4 * width, width, 1, bias=False)
        self.pool_red_conv = nn.Conv2d(width, width, 1, bias=False)
        self.red_bn = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = torch.cat([conv(x) for conv in self.map_convs], 1)
        y = self.red_conv(F.leaky_relu(self.map_bn(branches)))
        pooled = self.global_pooling_bn(self.global_pooling_conv(x.mean((2, 3), keepdim=True)))
        return F.leaky_relu(self.red_bn(y + self.pool_red_conv(F.leaky_relu(pooled))))


class CPCLHead(nn.Module):
    def __init__(self, low: int, high: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.aspp = CPCLPooling(high, width, rates)
        self.reduce = nn.Sequential(*unit(low, 48))
        self.last_conv = nn.Sequential(*unit(width + 48, 256, 3), *unit(256, 256, 3))

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        low = self.reduce(levels[0])
        return self.last_conv(torch.cat([up(self.aspp(levels[3]), low), low], 1))


class CPCL(Network):
    """CPS's, CPCL's and DUEB's DeepLabV3+."""

    def __init__(self, net: nn.Module, classes: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__(net)
        self.head = CPCLHead(*_channels(net), width, rates)
        self.classifier = nn.Conv2d(256, classes, 1)

    def decode(self, levels: list[torch.Tensor]) -> torch.Tensor:
        return self.classifier(self.head(levels))


class U2PLPooling(nn.Module):
    def __init__(self, inputs: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.AdaptiveAvgPool2d(1), *unit(inputs, width))
        self.conv2 = nn.Sequential(*unit(inputs, width))
        self.conv3, self.conv4, self.conv5 = (
            nn.Sequential(*unit(inputs, width, 3, rate)) for rate in rates
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        others = (self.conv2, self.conv3, self.conv4, self.conv5)
        return torch.cat([up(self.conv1(x), x), *(branch(x) for branch in others)], 1)


class U2PL(Network):
    """U2PL's DeepLabV3+ without its projection."""

    def __init__(self, net: nn.Module, classes: int, width: int, rates: tuple[int, ...]) -> None:
        super().__init__(net)
        low, high = _channels(net)
        self.low_conv = nn.Sequential(*unit(low, 256, bias=True))
        self.aspp = U2PLPooling(high, width, rates)
        self.head = nn.Sequential(*unit(5 * width, width, 3), nn.Dropout2d(0.1))
        self.classifier = nn.Sequential(
            *unit(256 + width, 256, 3, bias=True),
            nn.Dropout2d(0.1),
            *unit(256, 256, 3, bias=True),
            nn.Dropout2d(0.1),
            nn.Conv2d(256, classes, 1),
        )

    def decode(self, levels: list[torch.Tensor]) -> torch.Tensor:
        low = self.low_conv(levels[0])
        return self.classifier(torch.cat([low, up(self.head(self.aspp(levels[3])), low)], 1))


class Bins(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = (
            nn.Sequential(*unit(inputs, inputs // 4)) for _ in range(4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convs = (self.conv1, self.conv2, self.conv3, self.conv4)
        means = [F.adaptive_avg_pool2d(x, bins) for bins in (1, 2, 3, 6)]
        return torch.cat([x, *(up(c(m), x) for c, m in zip(convs, means, strict=True))], 1)


class PSPHead(nn.Module):
    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.conv5 = nn.Sequential(
            Bins(inputs),
            *unit(2 * inputs, inputs // 4, 3),
            nn.Dropout(0.1),
            nn.Conv2d(inputs // 4, classes, 1),
        )


class PSPNet(Network):
    """ST++'s and PPL's PSPNet."""

    def __init__(self, net: nn.Module, classes: int) -> None:
        super().__init__(net)
        self.head = PSPHead(_channels(net)[1], classes)

    def decode(self, levels: list[torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor = self.head.conv5(levels[3])
        return logits


class Pyramid(nn.Module):
    def __init__(self, inputs: list[int], classes: int, width: int) -> None:
        super().__init__()
        self.toplayer = nn.Conv2d(inputs[3], width, 1)
        for number in (1, 2, 3):
            setattr(self, f"latlayer{number}", nn.Conv2d(inputs[3 - number], width, 1))
        for number in (1, 2, 3, 4):
            setattr(self, f"smooth{number}_1", nn.Conv2d(width, width, 3, padding=1))
            setattr(self, f"smooth{number}_2", nn.Conv2d(width, width // 2, 3, padding=1))
        self.classify = nn.Conv2d(2 * width, classes, 3, padding=1)


class FPN(Network):
    """PPL's feature pyramid network."""

    def __init__(self, net: nn.Module, classes: int, width: int) -> None:
        super().__init__(net)
        high = _channels(net)[1]
        self.fpn_g = Pyramid([high // 8, high // 4, high // 2, high], classes, width)

    def decode(self, levels: list[torch.Tensor]) -> torch.Tensor:
        net: Any = self.fpn_g
        joined = [net.toplayer(levels[3])]
        for number in (1, 2, 3):
            lateral = getattr(net, f"latlayer{number}")(levels[3 - number])
            joined.append(up(joined[-1], lateral) + lateral)
        smooth = [
            getattr(net, f"smooth{n}_2")(getattr(net, f"smooth{n}_1")(level))
            for n, level in enumerate(joined, start=1)
        ]
        return net.classify(torch.cat([up(level, levels[0]) for level in smooth], 1))


def _channels(net: Any) -> tuple[int, int]:
    """Output channels of the first and the last layer."""
    bottleneck = hasattr(net.layer1[0], "conv3")
    return (256, 2048) if bottleneck else (64, 512)
