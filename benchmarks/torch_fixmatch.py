"""FixMatch in PyTorch with an EMA teacher, written as UniMatch's medical code is.

The peer that the speed of our `fixmatch` is measured against; the network is that of
`torch_peer` with one decoder. `ReleasedStep` is eager float32 and makes the strong views image by
image; `ExpertStep` does what one would do to make PyTorch fast.
"""

from __future__ import annotations

import copy
import random
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import swa_utils

from benchmarks import torch_peer, torch_strong_views
from benchmarks.torch_peer import Network, Normalizer

TAU, EMA_DECAY = 0.95, 0.99
LEARNING_RATE = 1e-3


class Views(NamedTuple):
    """Normalised images `[B, 3, H, W]`.

    Attributes:
      labeled: images.
      weak: unlabeled ones, for the teacher.
      strong: their strong views, before CutMix.
      box: boolean `[B, H, W]`, true where a strong view shows the next image.
    """

    labeled: torch.Tensor
    weak: torch.Tensor
    strong: torch.Tensor
    box: torch.Tensor


class Target(NamedTuple):
    """Pseudo-labels.

    Attributes:
      labels: class ids `[B, H, W]`.
      kept: 1 where they are learnt, else 0, `[B, H, W]`.
    """

    labels: torch.Tensor
    kept: torch.Tensor


def confident(logits: torch.Tensor, threshold: float) -> Target:
    """The most probable class of logits `[B, C, H, W]`, kept where it reaches the threshold."""
    confidence, labels = logits.softmax(1).max(1)
    return Target(labels, (confidence >= threshold).to(logits.dtype))


def paste(box: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Inside the boxes the next row of the batch `[B, ...]`, the first for the last."""
    return torch.where(box, x.roll(-1, 0), x)


def unlabeled_loss(logits: torch.Tensor, target: Target) -> torch.Tensor:
    """Half the sum of cross-entropy and Dice of kept pixels.

    The cross-entropy is divided by the number of all pixels; Dice is that of the batch.
    """
    kept = target.kept[:, None]
    ce = (target.kept * F.cross_entropy(logits, target.labels, reduction="none")).mean()
    p = logits.softmax(1)
    y = F.one_hot(target.labels, logits.shape[1]).movedim(-1, 1).to(p.dtype)
    intersection = (kept * p * y).sum((0, 2, 3))
    total = (kept * (p + y)).sum((0, 2, 3))
    dice = 1 - (2 * intersection / (total + 1e-7)).mean()
    return 0.5 * (ce + dice)


def objective(
    student: Network,
    teacher: Network,
    views: Views,
    labels: torch.Tensor,
    *,
    threshold: float = TAU,
    bfloat16: bool = False,
) -> torch.Tensor:
    """The loss; the student sees labeled images and strong views as one batch."""
    with torch.autocast(labels.device.type, torch.bfloat16, enabled=bfloat16):
        with torch.no_grad():
            taught = teacher.main(views.weak)
        strong = paste(views.box[:, None], views.strong)
        logits = student.main(torch.cat([views.labeled, strong]))
    of_labeled, of_strong = logits.float().split([len(labels), len(strong)])
    pseudo, kept = confident(taught.float(), threshold)
    target = Target(paste(views.box, pseudo), paste(views.box, kept))
    return torch_peer.supervised(of_labeled, labels) + unlabeled_loss(of_strong, target)


def teacher_of(student: Network) -> Network:
    """A copy in evaluation mode that takes no gradient."""
    return copy.deepcopy(student).eval().requires_grad_(False)


def averaged(network: nn.Module) -> list[torch.Tensor]:
    """The tensors that the teacher averages: parameters and running statistics."""
    buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    return [*network.parameters(), *buffers]


def decay(step: int) -> float:
    """Of the average after an update, counted from 0."""
    return min(1 - 1 / (step + 1), EMA_DECAY)


class ReleasedStep:
    """One step as published: eager float32, strong views image by image."""

    def __init__(self, network: Network, normalize: Normalizer) -> None:
        self.network, self.teacher = network, teacher_of(network)
        self._normalize = normalize
        self._optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        self._draw, self._updates = random.Random(0), 0

    def _views(self, labeled: torch.Tensor, unlabeled: torch.Tensor) -> Views:
        strong, box = torch_strong_views.strong_views(unlabeled, self._draw)
        shown = (labeled, unlabeled, strong.movedim(1, -1))
        x, weak, strong = (self._normalize(images).contiguous() for images in shown)
        return Views(x, weak, strong, box)

    def __call__(
        self, images: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """An update from labeled and unlabeled uint8 images `[B, H, W, C]`; returns the loss."""
        loss = objective(self.network, self.teacher, self._views(*images), labels)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._average(decay(self._updates))
        self._updates += 1
        return loss.detach()

    @torch.no_grad()
    def _average(self, alpha: float) -> None:
        for mean, new in zip(averaged(self.teacher), averaged(self.network), strict=True):
            mean.copy_(alpha * mean + (1 - alpha) * new)


class ExpertStep:
    """One step, optimised as far as we know how to in PyTorch.

    Views, both networks and the loss are one function, compiled if asked for (on GPUs with CUDA
    graphs); weights are channels last; Adam is fused, and the average is one operation on a list.
    Strong views are made all at once, except on a CPU without compilation, where that is slower.
    """

    def __init__(
        self, network: Network, normalize: Normalizer, *, bfloat16: bool, compiled: bool
    ) -> None:
        """Changes the memory layout of the network's weights to channels last."""
        torch_peer.channels_last(network)
        self.network, self.teacher = network, teacher_of(network)
        self._normalize, self._bfloat16 = normalize, bfloat16
        self._optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
        self._tensors = averaged(self.teacher), averaged(network)
        self._updates = 0
        on_gpu = next(network.parameters()).is_cuda
        self._draw = None if compiled or on_gpu else random.Random(0)
        self._loss = self._eager_loss
        if compiled:
            mode = "reduce-overhead" if on_gpu else "default"
            self._loss = torch.compile(self._eager_loss, mode=mode)

    def _eager_loss(
        self, labeled: torch.Tensor, unlabeled: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        strong, box = torch_strong_views.strong_views(unlabeled, self._draw)
        x, weak, strong = (
            self._normalize(images).contiguous(memory_format=torch.channels_last)
            for images in (labeled, unlabeled, strong.movedim(1, -1))
        )
        views = Views(x, weak, strong, box)
        return objective(self.network, self.teacher, views, labels, bfloat16=self._bfloat16)

    def __call__(
        self, images: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """An update from labeled and unlabeled uint8 images `[B, H, W, C]`; returns the loss."""
        loss = self._loss(*images, labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        average = swa_utils.get_ema_multi_avg_fn(decay(self._updates))
        average(*self._tensors, self._updates)
        self._updates += 1
        return loss.detach()
