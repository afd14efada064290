"""Shortened runs that fit their labels: the small variants of the recipes."""

from __future__ import annotations

from typing import NamedTuple

from uaps_jax import config as c
from uaps_jax.configs.parts import variants
from uaps_jax.models.unet import UNetConfig

HALF_WIDTHS = (8, 16, 32, 64, 128)
"""Of a U-Net: half of UAPS's."""


class Fitting(NamedTuple):
    """The length of a training, with Adam at 3e-3 and without dropout.

    The small variant of `variants` is shorter. On NEU-Seg, its 800 steps with 1e-3, dropout and 4
    images did not fit the labels of later rounds, and scores hardly grew with them.

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


USUAL = Fitting(widths=HALF_WIDTHS, size=64, batch=8, steps=1500, crops=False)

NEU = USUAL._replace(widths=(16, 32, 64, 128), size=32)
"""A minute of one CPU core for supervised learning."""


def apply(config: c.Config, variant: str, small: Fitting) -> c.Config:
    """As `variants.apply`, with a small variant that is evaluated once, at its end.

    Raises:
      ConfigError: there is no such variant.
    """
    if variant != "small":
        return variants.apply(config, variant)
    shorten(config, small)
    config.train.eval_every = config.train.steps
    return config


def shorten(config: c.Config, fitting: Fitting) -> None:
    """Shortens a configuration on a U-Net in place; images that are resized are means of areas."""
    assert isinstance(config.network, UNetConfig)
    config.network.widths = fitting.widths
    config.network.dropout = (0.0,) * len(fitting.widths)
    variants.shorten(config, size=fitting.size, batch=fitting.batch, steps=fitting.steps)
    config.optimizer.learning_rate = 3e-3
    if fitting.crops:
        config.data.fit, config.data.defect_crops = "crop", 0.5
        config.data.height = config.data.width = fitting.size
    else:
        config.data.resampling = "area"
