"""Settings of the optimizer."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from dataclasses import dataclass, field
from typing import Literal

from uaps_jax.config.rules import above, at_least, below_one, fraction
from uaps_jax.config.section import Section


@dataclass(slots=True, kw_only=True)
class OptimizerConfig(Section):
    """The optimizer and its learning rate."""

    name: Literal["adam", "adamw", "sgd"]
    # initial value, for the whole batch, whatever the number of devices
    learning_rate: float = field(metadata=above(0))
    schedule: Literal["plateau", "constant", "poly", "cosine"]  # of the learning rate
    # first steps, over which the learning rate increases to that of the schedule
    warmup_steps: int = field(metadata=at_least(0))
    # learning rate multiplier when the validation score, evaluation.selection, stagnates
    plateau_factor: float = field(metadata=fraction())
    # number of evaluations without improvement that are tolerated
    plateau_patience: int = field(metadata=at_least(0))
    plateau_threshold: float = field(metadata=at_least(0))  # smallest relative improvement
    plateau_min_lr: float = field(metadata=at_least(0))  # lowest learning rate
    poly_power: float  # exponent of (1 - step / steps)
    beta1: float = field(metadata=below_one())  # Adam and AdamW
    beta2: float = field(metadata=below_one())  # Adam and AdamW
    epsilon: float = field(metadata=above(0))  # Adam and AdamW
    momentum: float = field(metadata=below_one())  # SGD
    nesterov: bool  # SGD: Nesterov's form of the momentum
    # added to the gradient by Adam and SGD, as in PyTorch, and to the update by AdamW
    weight_decay: float = field(metadata=at_least(0))
    decay_biases_and_norms: bool  # also apply weight decay to biases and batch norm scales
    # learning rate of decoders and heads, as a multiple of the encoder's
    decoder_multiple: float = field(metadata=above(0))
    clip_norm: float = field(metadata=at_least(0))  # largest norm of the gradient; 0: no clipping
