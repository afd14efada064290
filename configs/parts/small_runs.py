"""The small variants of the recipes: shortened trainings on a network that a CPU trains."""

from __future__ import annotations

from typing import Any, NamedTuple

from uaps_jax import config as c
from uaps_jax.configs.parts import networks, variants
from uaps_jax.models.unet import UNetConfig


class SmallRun(NamedTuple):
    """Network, size and length of a training, with Adam and without dropout.

    The small variant of `variants` is shorter. On NEU-Seg, its 800 steps with 1e-3, dropout and 4
    images did not fit 128 labeled images, and scores hardly grew with the labels; with those here
    they grow. The other datasets take the same settings, except the magnetic tiles, of which a
    U-Net with random weights learns next to nothing at this size.

    Attributes:
      network: its name in `networks.NETWORKS`.
      widths: of the U-Net, or of the decoder on an encoder.
      size: of the shorter side of the images, or of the sides of the crops, in pixels.
      batch: images of each stream.
      steps: of each training.
      crops: whether the network sees square crops of the images at their own scale, in place of
        whole images that are resized.
      defect_share: of the labeled images or crops of a batch that have a defect (`data`).
      learning_rate: of the U-Net, or of the encoder.
      decoder_multiple: of the learning rate.
    """

    network: str
    widths: tuple[int, ...]
    size: int
    batch: int
    steps: int
    crops: bool
    defect_share: float
    learning_rate: float
    decoder_multiple: float


USUAL = SmallRun(
    network="unet",
    widths=networks.HALF_WIDTHS,
    size=64,
    batch=8,
    steps=1500,
    crops=False,
    defect_share=0.0,
    learning_rate=3e-3,
    decoder_multiple=1.0,
)
"""Of the datasets that have no other one."""

NEU = USUAL._replace(widths=(16, 32, 64, 128), size=32)
"""Of NEU-Seg: a minute of one CPU core for supervised learning."""

CRACKS = USUAL._replace(widths=(8, 16, 32, 64), steps=800, crops=True, defect_share=0.5)
"""Of CrackForest: a minute and a half."""

MTILES = USUAL._replace(
    network="efficientnet_lite0",
    widths=(16, 32, 64, 128),
    size=128,
    batch=4,
    learning_rate=3e-4,
    decoder_multiple=10.0,
)
"""Of the defective magnetic tiles: pretrained weights, which are in the extra `pretrained`."""

ALL_MTILES = MTILES._replace(defect_share=0.5)
"""Of the magnetic tiles with the good ones, seven of ten. Drawn as they come, 137 labeled images
and cross-entropy alone gave a network that found two kinds of defects in 1500 steps, and these
worse than with this share."""


def choose_network(config: c.Config, variant: str, small: SmallRun) -> None:
    """Gives a configuration the network of a variant in place; without one, it keeps its own."""
    if not variant:
        return
    if variant != "small":
        config.network = networks.unet()
        return
    networks.choose(config, small.network)


def apply(config: c.Config, variant: str, small: SmallRun) -> c.Config:
    """As `variants.apply`, with another small variant.

    Raises:
      ConfigError: there is no such variant.
    """
    if variant != "small":
        return variants.apply(config, variant)
    return shorten(config, small)


def shorten(config: c.Config, small: SmallRun) -> c.Config:
    """Shortens a configuration on the network of the small run in place, and returns it."""
    assert isinstance(config.network, type(networks.NETWORKS[small.network]()))
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
        "data.height": small.size,
        "data.width": small.size,
    }
    no_dropout = {"network.dropout": (0.0,) * len(small.widths)}
    return {
        "data.defect_share": small.defect_share,
        "network.widths": small.widths,
        **(no_dropout if small.network == UNetConfig.name else {}),
        "optimizer.learning_rate": small.learning_rate,
        "optimizer.decoder_multiple": small.decoder_multiple,
        **(of_crops if small.crops else {"data.resampling": "area"}),
    }
