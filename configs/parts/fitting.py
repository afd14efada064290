"""Shortened runs that fit their labels: the small variants of rounds of annotation and of URN."""

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

    widths: tuple[int, ...] = HALF_WIDTHS
    size: int = 64
    batch: int = 8
    steps: int = 1500
    crops: bool = False


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
