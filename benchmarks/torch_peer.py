"""UAPS in PyTorch, written from its description: the peer that speed is measured against.

Two ways to take a step. `released_step` does what the published code does: float32, eager, labeled
and unlabeled images in two passes. `ExpertStep` does what one would do to make PyTorch fast:
channels last, one compiled program for losses and both passes, fused Adam, bfloat16 on request.
The names of the modules are those of the published network, so that weights of either side load
into the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 32, 64, 128, 256)
RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
AUXILIARY = 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Normalizer = Callable[[torch.Tensor], torch.Tensor]


class Block(nn.Module):
    """Twice convolution, BatchNorm, LeakyReLU; dropout between them."""

    def __init__(self, inputs: int, outputs: int, rate: float) -> None:
        super().__init__()
        self.conv_conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(),
            nn.Dropout(rate),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, inputs, H, W]` to `[B, outputs, H, W]`."""
        return self.conv_conv(x)


class Down(nn.Module):
    """Half the size, then a block."""

    def __init__(self, inputs: int, outputs: int, rate: float) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), Block(inputs, outputs, rate))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, inputs, H, W]` to `[B, outputs, H / 2, W / 2]`."""
        return self.maxpool_conv(x)


class Encoder(nn.Module):
    """Five levels of features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_conv = Block(channels, WIDTHS[0], RATES[0])
        for level in range(1, len(WIDTHS)):
            down = Down(WIDTHS[level - 1], WIDTHS[level], RATES[level])
            self.add_module(f"down{level}", down)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The pyramid, finest first."""
        pyramid = [self.in_conv(x)]
        for level in range(1, len(WIDTHS)):
            pyramid.append(self.get_submodule(f"down{level}")(pyramid[-1]))
        return pyramid


class Up(nn.Module):
    """1x1 convolution, twice the size (aligned corners), the skip in front, a block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(inputs, outputs, 1)
        self.conv = Block(2 * outputs, outputs, 0.0)

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """`[B, inputs, H, W]` and `[B, outputs, 2H, 2W]` to the latter's shape."""
        x = F.interpolate(self.conv1x1(deep), scale_factor=2, mode="bilinear", align_corners=True)
        return self.conv(torch.cat([skip, x], dim=1))


class Decoder(nn.Module):
    """The pyramid to logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        for step, level in enumerate(reversed(range(len(WIDTHS) - 1)), start=1):
            self.add_module(f"up{step}", Up(WIDTHS[level + 1], WIDTHS[level]))
        self.out_conv = nn.Conv2d(WIDTHS[0], classes, 3, padding=1)

    def forward(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """Logits `[B, classes, H, W]`."""
        x = pyramid[-1]
        for step, skip in enumerate(reversed(pyramid[:-1]), start=1):
            x = self.get_submodule(f"up{step}")(x, skip)
        return self.out_conv(x)


def feature_noise(z: torch.Tensor) -> torch.Tensor:
    """z (1 + N), N ~ U(-0.3, 0.3), one for the whole batch."""
    return z * (1 + torch.empty_like(z[:1]).uniform_(-0.3, 0.3))


def feature_dropout(z: torch.Tensor) -> torch.Tensor:
    """Without the pixels whose mean activation exceeds u of the highest, u ~ U(0.7, 0.9)."""
    activation = z.detach().mean(1, keepdim=True)
    u = torch.empty((), device=z.device).uniform_(0.7, 0.9)
    return z * (activation < u * activation.amax((2, 3), keepdim=True))


class Network(nn.Module):
    """One encoder, a main decoder, and auxiliary decoders on perturbed features."""

    def __init__(self, channels: int, classes: int, auxiliary: int = AUXILIARY) -> None:
        super().__init__()
        self.auxiliary, self.perturb = auxiliary, True
        self.encoder = Encoder(channels)
        self.main_decoder = Decoder(classes)
        for k in range(1, auxiliary + 1):
            self.add_module(f"aux_decoder{k}", Decoder(classes))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Logits of all decoders, the main one first."""
        kinds = (feature_noise, lambda z: F.dropout(z, 0.5), feature_dropout)
        pyramid = self.encoder(x)
        logits = [self.main_decoder(pyramid)]
        for k in range(self.auxiliary):
            features = [kinds[k % 3](z) for z in pyramid] if self.perturb else pyramid
            logits.append(self.get_submodule(f"aux_decoder{k + 1}")(features))
        return logits

    def main(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the main decoder alone."""
        return self.main_decoder(self.encoder(x))


def normalizer(device: torch.device) -> Normalizer:
    """uint8 `[B, H, W, C]` to the network's input `[B, C, H, W]`, channels last in memory."""
    mean, std = (torch.tensor(v, device=device) for v in (MEAN, STD))
    return lambda images: ((images.float() / 255 - mean) / std).movedim(-1, 1)


def channels_last(network: Network) -> None:
    """Lays out the kernels of its convolutions channels last, in place."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def supervised(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Half the sum of cross-entropy and Dice over the batch."""
    p = logits.softmax(1)
    y = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p.dtype)
    intersection, total = (p * y).sum((0, 2, 3)), (p + y).sum((0, 2, 3))
    dice = 1 - (2 * intersection / (total + 1e-7)).mean()
    return 0.5 * (F.cross_entropy(logits, labels) + dice)


def objective(
    labeled: list[torch.Tensor],
    unlabeled: list[torch.Tensor],
    labels: torch.Tensor,
    beta: torch.Tensor,
    weights: tuple[float, float],
) -> torch.Tensor:
    """UAPS's loss in its released form; `weights` are those of pseudo-labels and uncertainty."""
    l_sup = torch.stack([supervised(logits, labels) for logits in labeled]).mean()
    stack = torch.stack(unlabeled)
    log_p = stack.log_softmax(2)
    mixed = (beta.view(-1, 1, 1, 1, 1) * log_p.detach().exp()).sum(0)
    pseudo = mixed.argmax(1)
    log_mean = log_p.logsumexp(0) - float(np.log(len(stack)))
    divergence = (log_mean.exp() * (log_mean - log_p)).sum(2)
    discount = (-divergence).exp().mean((1, 2, 3))
    plain = torch.stack([supervised(logits, pseudo) for logits in unlabeled])
    return l_sup + weights[0] * (plain * discount).mean() + weights[1] * divergence.mean()


def released_step(
    network: Network,
    optimizer: torch.optim.Optimizer,
    images: tuple[torch.Tensor, torch.Tensor],
    labels: torch.Tensor,
    weights: tuple[float, float],
) -> torch.Tensor:
    """One step as published: float32, eager, two passes."""
    beta = torch.distributions.Dirichlet(torch.ones(1 + network.auxiliary)).sample()
    labeled, unlabeled = network(images[0]), network(images[1])
    loss = objective(labeled, unlabeled, labels, beta.to(images[0].device), weights)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


class ExpertStep:
    """One step, optimised as far as we know how to in PyTorch.

    Views, losses and both passes are one function, compiled if asked for (on GPUs with CUDA
    graphs); the weights are channels last; Adam is fused.
    """

    def __init__(
        self,
        network: Network,
        normalize: Normalizer,
        *,
        bfloat16: bool,
        compiled: bool,
    ) -> None:
        """Changes the memory layout of the network's weights to channels last."""
        self.network, self._normalize = network, normalize
        channels_last(network)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        self._bfloat16 = bfloat16
        self._loss = self._eager_loss
        if compiled:
            mode = "reduce-overhead" if next(network.parameters()).is_cuda else "default"
            self._loss = torch.compile(self._eager_loss, mode=mode)
        concentration = torch.ones(1 + network.auxiliary, device=next(network.parameters()).device)
        self._dirichlet = torch.distributions.Dirichlet(concentration)

    def _eager_loss(
        self,
        labeled: torch.Tensor,
        unlabeled: torch.Tensor,
        labels: torch.Tensor,
        beta: torch.Tensor,
        weights: tuple[float, float],
    ) -> torch.Tensor:
        device = labeled.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self._bfloat16):
            logits = [self.network(self._normalize(images)) for images in (labeled, unlabeled)]
        wide = [[decoder.float() for decoder in stream] for stream in logits]
        return objective(wide[0], wide[1], labels, beta, weights)

    def __call__(
        self,
        images: tuple[torch.Tensor, torch.Tensor],
        labels: torch.Tensor,
        weights: tuple[float, float],
    ) -> torch.Tensor:
        """Forward, backward and update on uint8 images `[B, H, W, C]`; returns the loss."""
        loss = self._loss(*images, labels, self._dirichlet.sample(), weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def load(network: Network, stored: Mapping[str, Any]) -> None:
    """Fills the network with the arrays `weights/<published name>`, in PyTorch's layout."""
    state = network.state_dict()
    filled = {
        name: torch.from_numpy(np.array(stored[f"weights/{name}"]))
        if f"weights/{name}" in stored
        else state[name]  # num_batches_tracked, which is not used
        for name in state
    }
    network.load_state_dict(filled)
