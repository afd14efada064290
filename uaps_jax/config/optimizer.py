"""Settings of the optimizer."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from dataclasses import dataclass, field
from typing import Literal

from uaps_jax.config.rules import above, at_least, below_one, fraction
from uaps_jax.config.section import Section


@dataclass(slots=True, kw_only=True)
class OptimizerConfig(Section):
    """Adam and its learning rate."""

    # at the start, for the whole batch: more devices do not change it
    learning_rate: float = field(metadata=above(0))
    schedule: Literal["plateau", "constant", "poly", "cosine"]  # of the learning rate
    # learning rate multiplier when validation image_dice stagnates
    plateau_factor: float = field(metadata=fraction())
    # evaluations without improvement that are tolerated
    plateau_patience: int = field(metadata=at_least(0))
    plateau_threshold: float = field(metadata=at_least(0))  # relative improvement that counts
    plateau_min_lr: float = field(metadata=at_least(0))  # floor
    poly_power: float  # of (1 - step / steps)
    beta1: float = field(metadata=below_one())  # Adam
    beta2: float = field(metadata=below_one())  # Adam
    epsilon: float = field(metadata=above(0))  # Adam
    weight_decay: float = field(metadata=at_least(0))  # added to the gradient, as PyTorch's Adam
