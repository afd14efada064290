"""Settings of the optimizer."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from dataclasses import dataclass, field
from typing import Literal

from uaps_jax.config.rules import above, at_least, below_one, fraction, rule
from uaps_jax.config.section import Section


@dataclass(slots=True, kw_only=True)
class OptimizerConfig(Section):
    """The optimizer and its learning rate."""

    name: Literal["adam", "adamw", "sgd"]
    # at the start, for the whole batch: more devices do not change it
    learning_rate: float = field(metadata=above(0))
    schedule: Literal["plateau", "constant", "poly", "cosine"]  # of the learning rate
    # first steps, in which the learning rate rises to that of the schedule
    warmup_steps: int = field(metadata=at_least(0))
    # learning rate multiplier when validation image_dice stagnates
    plateau_factor: float = field(metadata=fraction())
    # evaluations without improvement that are tolerated
    plateau_patience: int = field(metadata=at_least(0))
    plateau_threshold: float = field(metadata=at_least(0))  # relative improvement that counts
    plateau_min_lr: float = field(metadata=at_least(0))  # floor
    poly_power: float  # of (1 - step / steps)
    beta1: float = field(metadata=below_one())  # Adam and AdamW
    beta2: float = field(metadata=below_one())  # Adam and AdamW
    epsilon: float = field(metadata=above(0))  # Adam and AdamW
    momentum: float = field(metadata=below_one())  # SGD
    nesterov: bool  # SGD: Nesterov's form of the momentum
    # added to the gradient by Adam and SGD, as PyTorch's do, and to the update by AdamW
    weight_decay: float = field(metadata=at_least(0))
    decay_biases_and_norms: bool  # whether biases and scales of batch normalisations decay, too
    # learning rate of decoders and heads, as a multiple of the encoder's
    decoder_multiple: float = field(metadata=above(0))
    # groups of parameters that stay as they are: encoder, decoders, heads
    frozen: tuple[str, ...] = field(
        metadata=rule(
            lambda v: set(v) <= {"encoder", "decoders", "heads"},
            "must be names of groups of parameters: encoder, decoders, heads",
        )
    )
    clip_norm: float = field(metadata=at_least(0))  # largest norm of the gradient; 0: any
