"""Shortened runs: the part after the colon of `--config=configs/neu_uaps.py:small`."""

from __future__ import annotations

from uaps_jax import config as c
from uaps_jax.configs.parts import choices

VARIANTS = {
    "small": {"size": 64, "batch": 4, "steps": 800},
    "medium": {"size": 64, "batch": 8, "steps": 2500},
}
"""Pixels of the shorter side, images of each stream, and steps; `""` changes nothing."""


def apply(config: c.Config, variant: str) -> c.Config:
    """Shortens a configuration in place, and returns it.

    Raises:
      ConfigError: there is no such variant.
    """
    if variant:
        choices.require("variant", variant, VARIANTS)
        shorten(config, **VARIANTS[variant])
    return config


def shorten(config: c.Config, *, size: int, batch: int, steps: int) -> None:
    """A run of minutes: small images, Adam at 1e-3 with a cosine to 0, ramps in proportion.

    Blur and noise are off, in strong views too: their strengths are chosen for 256 px, and a
    7-pixel box removes most defects at 64 px.
    """
    shorter, stride = min(config.data.height, config.data.width), config.network.stride

    def shortened(pixels: int) -> int:
        return round(size * pixels / shorter / stride) * stride

    config.data.height, config.data.width = map(shortened, (config.data.height, config.data.width))
    for view in (config.views.labeled, config.views.unlabeled):
        view.crop_height, view.crop_width = map(shortened, (view.crop_height, view.crop_width))
    config.method.scale_ramps(steps, config.method.share_of_ramps(config.train.steps))
    config.train.steps = steps
    config.train.batch_labeled = config.train.batch_unlabeled = batch
    config.train.eval_every = steps // 10
    config.checkpoint.every = steps // 10
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "cosine"
    for section in c.sections(config):
        if isinstance(section, c.PhotometricConfig):
            section.blur = section.gaussian_blur = section.noise = 0.0
