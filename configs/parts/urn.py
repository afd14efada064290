"""URN's recipe on a base configuration of a dataset, and its published segmentor."""

from __future__ import annotations

import dataclasses
from typing import Any

from uaps_jax import config as c
from uaps_jax.configs.parts import methods, networks, refinement, small_runs
from uaps_jax.configs.parts.views import view
from uaps_jax.methods.seam import SeamConfig
from uaps_jax.models.unet import UNetConfig
from uaps_jax.recipes.activation_masks import MapsConfig
from uaps_jax.recipes.response_scaling import ResponseScaling
from uaps_jax.weak_supervision.response_scaling import VOC_SCALES
from uaps_jax.weak_supervision.views import URN_SCALES

STEPS = 20_000
"""Of each phase on PASCAL VOC."""

ALMOST_ALL = 0.9999
"""A labeled ratio of the protocol `grouped`: one image of every training group but one.

Below a ratio of 1, which is all images, a group stays unlabeled at least."""

MAP_VIEWS = (0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Factors of the sides for activation maps; PMM takes each quarter from 0.75 to 3."""

SETTINGS: dict[str, Any] = {
    "start": "rough",
    "masks": "",
    "model": "",
    "cyclic": "",
    "checkpoint": "latest",
    "views": URN_SCALES,
    "powers": VOC_SCALES,
    "form": "repaired",
    "restored": 0.25,
    "least_confidence": 0.7245,
    "weightings": ("hard",),
}
"""URN's on PASCAL VOC, repaired: classes that an image has are examined, and no other, and those
that its cyclic mask has lost get their rough mask."""


def segmentor(config: c.Config) -> c.Config:
    """URN's PSPNet on ResNet-101 with an auxiliary head, and its optimizer and views on VOC."""
    config.network = networks.pspnet_resnet50(encoder="resnet101")
    networks.normalize(config)
    scaled: dict[str, Any] = {"scale": 1.0, "scale_range": (0.5, 2.0)}
    config.views.labeled = view(hflip=0.5, jitter=0.5, **scaled)
    config.views.unlabeled = dataclasses.replace(config.views.labeled)
    optimizer, train = config.optimizer, config.train
    optimizer.name, optimizer.schedule, optimizer.poly_power = "sgd", "poly", 0.9
    optimizer.learning_rate, optimizer.decoder_multiple = 0.005, 1.0
    optimizer.momentum, optimizer.weight_decay = 0.9, 5e-4
    train.batch_labeled, train.batch_unlabeled = 16, 16
    train.steps, train.eval_every = STEPS, STEPS // 10
    config.evaluation.batch_size = 4
    return config


def urn(
    base: c.Config,
    variant: str,
    small: small_runs.SmallRun = small_runs.USUAL,
    **settings: Any,
) -> ResponseScaling:
    """URN with the network, the views and the optimizer of a base configuration.

    Args:
      base: the dataset.
      variant: "", or a shortened run on a network of its own, with UAPS's loss.
      small: the trainings of the small variant.
      **settings: of `ResponseScaling`, which replace those of `SETTINGS`.
    """
    small_runs.choose_network(base, variant, small)
    of_uaps = variant or base.network.name == UNetConfig.name
    published = {} if of_uaps else {"loss": "cross_entropy", "weight_fcn": 0.4}
    methods.urn(base, **published)
    small_runs.apply(base, variant, small)
    crf, of_maps = refinement.no_crf(), refinement.no_crf()
    crf.iterations = of_maps.iterations = 10
    of_maps.position_weight, of_maps.position_sigma = 10.0, 3.0
    of_maps.bilateral_weight, of_maps.bilateral_sigma = 10.0, 0.16
    maps = MapsConfig(
        classifier=SeamConfig(**methods.SEAM),
        steps=base.train.steps,
        views=MAP_VIEWS,
        pcm=True,
        alpha=11.0,
        crf=of_maps,
    )
    return ResponseScaling(
        base=base, maps=maps, crf=crf, phase_1_steps=base.train.steps, **(SETTINGS | settings)
    )
