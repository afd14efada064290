"""The small variants of the recipes: shortened trainings with a larger rate and no dropout."""

from __future__ import annotations

from typing import Any, NamedTuple

from uaps_jax import config as c
from uaps_jax.configs.parts import networks, variants
from uaps_jax.models.unet import UNetConfig


class SmallRun(NamedTuple):
    """Network, size and length of a training, with Adam at 3e-3 and without dropout.

    The small variant of `variants` is shorter. On NEU-Seg, its 800 steps with 1e-3, dropout and 4
    images did not fit 128 labeled images, and scores hardly grew with the labels; with those here
    they grow. The other datasets take the same settings.

    Attributes:
      widths: of the U-Net.
      size: of the shorter side of the images, or of the sides of the crops, in pixels.
      batch: images of each stream.
      steps: of each training.
      crops: whether the network sees square crops of the images at their own scale, half of them
        with a defect, in place of whole images that are resized.
    """

    widths: tuple[int, ...]
    size: int
    batch: int
    steps: int
    crops: bool


USUAL = SmallRun(widths=networks.HALF_WIDTHS, size=64, batch=8, steps=1500, crops=False)
"""Of the datasets that have no other one."""

NEU = USUAL._replace(widths=(16, 32, 64, 128), size=32)
"""Of NEU-Seg: a minute of one CPU core for supervised learning."""

CRACKS = USUAL._replace(widths=(8, 16, 32, 64), steps=800, crops=True)
"""Of CrackForest: a minute and a half."""


def apply(config: c.Config, variant: str, small: SmallRun) -> c.Config:
    """As `variants.apply`, with another small variant.

    Raises:
      ConfigError: there is no such variant.
    """
    if variant != "small":
        return variants.apply(config, variant)
    return shorten(config, small)


def shorten(config: c.Config, small: SmallRun) -> c.Config:
    """Shortens a configuration on a U-Net in place, and returns it."""
    assert isinstance(config.network, UNetConfig)
    variants.shorten(config, size=small.size, batch=small.batch, steps=small.steps)
    for key, value in settings(small).items():
        c.assign(config, key, value)
    return config


def settings(small: SmallRun) -> dict[str, Any]:
    """What differs from the small variant of `variants`, as dotted keys and their values.

    Without the length and the batch; images that are resized are means of areas.
    """
    of_crops = {
        "data.fit": "crop",
        "data.defect_crops": 0.5,
        "data.height": small.size,
        "data.width": small.size,
    }
    return {
        "network.widths": small.widths,
        "network.dropout": (0.0,) * len(small.widths),
        "optimizer.learning_rate": 3e-3,
        **(of_crops if small.crops else {"data.resampling": "area"}),
    }
