"""Recipes of self-training in stages, on a base configuration of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uaps_jax import config as c
from uaps_jax.configs.parts import methods, networks, variants
from uaps_jax.configs.parts.views import view
from uaps_jax.recipes.progressive import Progressive

STPP: dict[str, Any] = {
    "score": "stability",
    "checkpoints": (1 / 3, 2 / 3),
    "easy": 0.5,
    "balanced": False,
    "scales": (0.5, 0.75, 1.0, 1.5, 2.0),
    "flip": True,
}
"""ST++'s settings."""


def stpp(base: c.Config, steps: Sequence[int], variant: str, **settings: Any) -> Progressive:
    """ST++ with cross-entropy throughout.

    Args:
      base: the dataset with its network, its views and its optimizer.
      steps: of the teacher and of each student; in a shortened run, all have those of the variant.
      variant: "", or a shortened run, on UAPS's U-Net.
      **settings: of `Progressive`, which replace those of ST++.
    """
    if variant:
        base.network = networks.unet()
    student = methods.self_training(base).method
    methods.supervised(base, loss="cross_entropy")
    base.train.steps, student_steps = steps[0], tuple(steps[1:])
    variants.apply(base, variant)
    if variant:
        student_steps = (base.train.steps,) * len(student_steps)
    usual = STPP | {"base": base, "student": student, "student_steps": student_steps}
    return Progressive(**(usual | settings))


def with_published_network(config: c.Config, *, learning_rate: float, side: int) -> c.Config:
    """PPL's setting of ST++: ResNet-18 with DeepLabV3+, SGD, batches of 8, mirrored images alone.

    Args:
      config: of a dataset.
      learning_rate: of the encoder; that of the decoder is ten times as large.
      side: of the images, in pixels.
    """
    config.network = networks.deeplabv3plus_resnet18()
    networks.normalize(config)
    config.data.height = config.data.width = side
    config.views.labeled, config.views.unlabeled = view(hflip=0.5), view(hflip=0.5)
    optimizer, train = config.optimizer, config.train
    optimizer.name, optimizer.schedule, optimizer.poly_power = "sgd", "poly", 0.9
    optimizer.learning_rate, optimizer.decoder_multiple = learning_rate, 10.0
    optimizer.momentum, optimizer.weight_decay = 0.9, 1e-4
    optimizer.decay_biases_and_norms = True
    train.batch_labeled = train.batch_unlabeled = 4
    config.evaluation.batch_size = 4
    return config
