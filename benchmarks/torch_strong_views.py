"""Strong views in PyTorch: colour jitter in random order, grayscale, Gaussian blur, CutMix.

The distributions are those of our `fixmatch`, which are UniMatch's. Images are planar float32,
`[B, 3, H, W]` or `[3, H, W]`, on the 0..255 scale. There are two ways to make the same views:
`one_by_one` and `boxes_one_by_one` draw on the host, and change an image only if it is drawn;
`at_once` and `boxes_at_once` draw on the device and change all images of a batch by the same
operations, without a branch, so that they can be compiled.
"""

from __future__ import annotations

import math
import random

import torch
import torch.nn.functional as F

JITTER, GRAYSCALE, BLUR, CUTMIX = 0.8, 0.2, 0.5, 0.5  # probabilities
LIMITS = (0.5, 0.5, 0.5, 0.25)  # of brightness, contrast, saturation, hue
SIGMA = (0.1, 2.0)  # of the blur, in pixels
REACH = math.ceil(3 * SIGMA[1])
AREA, ASPECT = (0.02, 0.4), (0.3, 1 / 0.3)  # of a CutMix box: its share, height / width
TRIES = 256  # boxes drawn at once until one is inside the image
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


def luma(images: torch.Tensor) -> torch.Tensor:
    """`[..., 3, H, W]` to the luma `[..., 1, H, W]` (ITU-R 601)."""
    r, g, b = images.split(1, -3)
    return 0.299 * r + 0.587 * g + 0.114 * b


def blend(
    images: torch.Tensor, factor: float | torch.Tensor, reference: float | torch.Tensor
) -> torch.Tensor:
    """clip(factor x + (1 - factor) reference, 0, 255)."""
    return (factor * images + (1 - factor) * reference).clamp(0, 255)


def turn_hue(images: torch.Tensor, turns: float | torch.Tensor) -> torch.Tensor:
    """The hue of `[..., 3, H, W]` shifted by full turns; value and saturation (HSV) stay."""
    value, low = images.amax(-3), images.amin(-3)
    chroma = value - low
    safe = torch.where(chroma > 0, chroma, 1)
    r, g, b = images.unbind(-3)
    sixths = torch.where(
        value == r,
        (g - b) / safe,
        torch.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe),
    )
    sixths = sixths + 6 * turns
    channels = []
    for offset in (5, 3, 1):
        k = (offset + sixths).remainder(6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, -3)


def jitter_one(
    image: torch.Tensor, factors: list[float], turns: float, order: list[int]
) -> torch.Tensor:
    """torchvision's colour jitter of one image, with the factors of the first three operations."""
    for operation in order:
        if operation == HUE:
            image = turn_hue(image, turns)
        elif operation == BRIGHTNESS:
            image = blend(image, factors[operation], 0.0)
        else:
            grey = luma(image)
            reference = grey.mean() if operation == CONTRAST else grey
            image = blend(image, factors[operation], reference)
    return image


def jitter_batch(
    images: torch.Tensor, factors: torch.Tensor, turns: torch.Tensor, order: torch.Tensor
) -> torch.Tensor:
    """`jitter_one` of each image, every one in an order of its own.

    Three blends, the hue, three blends: in each place an image has the brightness, contrast or
    saturation of its order, or a factor of 1.

    Args:
      images: `[B, 3, H, W]`.
      factors: `[B, 3]`; with 1, 1, 1 and a turn of 0, an image stays.
      turns: `[B]`.
      order: a permutation of 0..3 for each image, `[B, 4]`.
    """
    rank = order.argsort(1)  # of each operation
    place = torch.where(rank[:, :HUE] < rank[:, HUE:], rank[:, :HUE], rank[:, :HUE] + 2)
    chosen = F.one_hot(place, 6).to(images.dtype)[..., None, None, None]  # [B, 3, 6, 1, 1, 1]
    factor = 1 + (chosen * (factors - 1).view(-1, 3, 1, 1, 1, 1)).sum(1)
    for i in range(6):
        if i == 3:
            images = turn_hue(images, turns.view(-1, 1, 1))
        grey = luma(images)
        mean = grey.mean((1, 2, 3), keepdim=True)
        reference = chosen[:, CONTRAST, i] * mean + chosen[:, SATURATION, i] * grey
        images = blend(images, factor[:, i], reference)
    return images


def gaussian_taps(sigma: torch.Tensor) -> torch.Tensor:
    """The weights of pixels -REACH..REACH, `[B, 2 REACH + 1]`, from sigmas `[B]`."""
    offsets = torch.arange(-REACH, REACH + 1, device=sigma.device)
    taps = torch.exp(-((offsets / sigma[:, None]) ** 2) / 2)
    return taps / taps.sum(1, keepdim=True)


def blur(images: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """`[B, 3, H, W]` filtered along both sides; borders mirrored without the edge pixel."""
    planes = images.reshape(1, -1, *images.shape[2:])
    kernels = taps.repeat_interleave(images.shape[1], 0)
    padded = F.pad(planes, (REACH,) * 4, mode="reflect")
    columns = F.conv2d(padded, kernels[:, None, :, None], groups=len(kernels))
    return F.conv2d(columns, kernels[:, None, None, :], groups=len(kernels)).view(images.shape)


def strong_views(
    images: torch.Tensor, draw: random.Random | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Strong views `[B, 3, H, W]` of uint8 `[B, H, W, 3]`, and their boxes, boolean `[B, H, W]`.

    Args:
      images: on the device.
      draw: the source of draws on the host, for images one by one; None: all at once.
    """
    count, height, width, _ = images.shape
    if draw is None:
        return at_once(images), boxes_at_once(count, (height, width), images.device)
    box = boxes_one_by_one(count, (height, width), draw)
    return one_by_one(images, draw), box.to(images.device)


def one_by_one(images: torch.Tensor, draw: random.Random) -> torch.Tensor:
    """uint8 `[B, H, W, 3]` to strong views without boxes, `[B, 3, H, W]`."""
    views = []
    for pixels in images:
        image = pixels.movedim(-1, 0).float().contiguous()
        if draw.random() < JITTER:
            factors = [draw.uniform(1 - limit, 1 + limit) for limit in LIMITS[:HUE]]
            turns = draw.uniform(-LIMITS[HUE], LIMITS[HUE])
            image = jitter_one(image, factors, turns, draw.sample(range(4), 4))
        if draw.random() < GRAYSCALE:
            image = luma(image).expand_as(image)
        if draw.random() < BLUR:
            sigma = torch.tensor([draw.uniform(*SIGMA)], device=image.device)
            image = blur(image[None], gaussian_taps(sigma))[0]
        views.append(image)
    return torch.stack(views)


def at_once(images: torch.Tensor) -> torch.Tensor:
    """`one_by_one`, with draws on the device of the images."""
    count, device = len(images), images.device

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, *shape, device=device)

    def chance(probability: float) -> torch.Tensor:
        return torch.rand(count, 1, device=device) < probability

    jittered = chance(JITTER)
    limits = torch.tensor(LIMITS, device=device)
    changes = torch.where(jittered, limits * uniform(-1, 1, 4), 0)
    order = torch.rand(count, 4, device=device).argsort(1)
    planar = images.movedim(-1, 1).float().contiguous()
    views = jitter_batch(planar, 1 + changes[:, :HUE], changes[:, HUE], order)
    views = torch.where(chance(GRAYSCALE)[..., None, None], luma(views), views)
    same = torch.arange(-REACH, REACH + 1, device=device) == 0
    taps = torch.where(chance(BLUR), gaussian_taps(uniform(*SIGMA)), same.float())
    return blur(views, taps)


def boxes_one_by_one(count: int, size: tuple[int, int], draw: random.Random) -> torch.Tensor:
    """CutMix boxes, boolean `[B, H, W]` on the host: with `CUTMIX`, a box inside the image."""
    mask = torch.zeros(count, *size, dtype=torch.bool)
    for image in mask:
        if draw.random() < CUTMIX:
            top, left, height, width = _box(size, draw)
            image[top : top + height, left : left + width] = True
    return mask


def _box(size: tuple[int, int], draw: random.Random) -> tuple[int, int, int, int]:
    pixels = draw.uniform(*AREA) * size[0] * size[1]
    while True:
        aspect = draw.uniform(*ASPECT)
        height, width = int(math.sqrt(pixels * aspect)), int(math.sqrt(pixels / aspect))
        top, left = draw.randrange(size[0]), draw.randrange(size[1])
        if top + height <= size[0] and left + width <= size[1]:
            return top, left, height, width


def boxes_at_once(count: int, size: tuple[int, int], device: torch.device) -> torch.Tensor:
    """`boxes_one_by_one` on the device; if all `TRIES` fail, the first box is clipped."""

    def uniform(low: float, high: float, tries: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, tries, device=device)

    pixels, aspect = uniform(*AREA, 1) * (size[0] * size[1]), uniform(*ASPECT, TRIES)
    height, width = (pixels * aspect).sqrt().long(), (pixels / aspect).sqrt().long()
    top, left = (torch.randint(side, (count, TRIES), device=device) for side in size)
    inside = (top + height <= size[0]) & (left + width <= size[1])
    first = inside.byte().argmax(1, keepdim=True)
    t, n, h, w = (x.gather(1, first)[..., None] for x in (top, left, height, width))
    h = torch.where(torch.rand(count, 1, 1, device=device) < CUTMIX, h, 0)
    rows = torch.arange(size[0], device=device)[:, None]
    columns = torch.arange(size[1], device=device)
    return (rows >= t) & (rows < t + h) & (columns >= n) & (columns < n + w)
