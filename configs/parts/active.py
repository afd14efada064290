"""Rounds of annotation on a dataset."""

from __future__ import annotations

import dataclasses
from typing import Any

from uaps_jax.acquisition import cost
from uaps_jax.configs import train
from uaps_jax.configs.parts import choices, methods, networks, small_runs, variants
from uaps_jax.models.unet import UNetConfig
from uaps_jax.recipes.acquire import AcquisitionConfig, CostConfig
from uaps_jax.recipes.active import Active

USUAL, RECOMMENDED = "supervised", "recommended"
"""The method of a recipe whose argument names none, and the word for `methods.recommended`."""


def active(dataset: str, argument: str, small: small_runs.SmallRun, **settings: Any) -> Active:
    """A recipe of rounds with the default choice, and the three baselines of a simulation.

    Every training is evaluated once, at its end. The medium variant has a U-Net of half the widths.

    Args:
      dataset: a name of `datasets.DATASETS`.
      argument: a method or "recommended", a shortened run, or both with a comma between; "":
        supervised, at full length.
      small: the small variant.
      **settings: of `Active`, which replace those here.

    Raises:
      ConfigError: a word of the argument is neither.
    """
    words = [word for word in argument.split(",") if word]
    known = [*variants.VARIANTS, RECOMMENDED, *methods.METHODS]
    for word in words:
        choices.require("method or variant", word, known)
    chosen = {"variant" if word in variants.VARIANTS else "method": word for word in words}
    method = chosen.get("method", USUAL)
    variant = chosen.get("variant", "")
    base = train.build(
        dataset=dataset,
        method=method.replace(RECOMMENDED, ""),
        variant="" if variant == "small" else variant,
    )
    if variant == "small":
        small_runs.shorten(base, small)
    elif variant:
        assert isinstance(base.network, UNetConfig)
        base.network.widths = networks.HALF_WIDTHS
    base.data.protocol, base.data.labeled_ratio = "grouped", 1.0
    base.optimizer.schedule = "cosine"  # a plateau would need evaluations on the way
    base.train.eval_every = base.checkpoint.every = base.train.steps
    usual: dict[str, Any] = {
        "acquisition": AcquisitionConfig(
            selection="hybrid",
            features="efficientnet_lite0",
            uncertainty="entropy",
            aggregation="top_share",
            share=0.05,
            border=2,
            side=64,
            power=1.0,
            members="prediction",
        ),
        "baselines": ("random", "class_aware_random", "mean_entropy"),
        "start": "random",
        "unit": "images",
        "cost": CostConfig(**dataclasses.asdict(cost.DEFAULT)),
        "warm_start": False,
        "annotation": "simulated",
        "checkpoints": (1 / 3, 2 / 3),
        "metric": "image_iou",
        "reported": "latest",
        "target": 0.0,
        "smallest_gain": 0.5,
    }
    return Active(base=base, **(usual | settings))
