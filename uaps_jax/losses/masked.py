"""Losses of pseudo-labels, some of whose pixels are left out or weigh less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax

from uaps_jax.losses import segmentation

LossForm = Literal["cross_entropy_and_dice", "cross_entropy", "dice"]


CrossEntropy = Callable[[jax.Array, jax.Array, jax.Array | None], jax.Array]
"""`(logits, labels, weight)` to a scalar."""


def masked_loss(
    logits: jax.Array,
    labels: jax.Array,
    weight: jax.Array | None,
    form: LossForm,
    cross_entropy: CrossEntropy = segmentation.cross_entropy,
) -> jax.Array:
    """The loss of one view from logits `[B, H, W, C]`, labels and weights `[B, H, W]`, None for 1.

    The sum of the weighted cross-entropy is divided by the number of labeled pixels (UniMatch),
    those of weight 0 included; Dice leaves out pixels of weight 0. Both: half of their sum.
    """
    if form == "dice":
        return segmentation.dice(logits, labels, weight)
    ce = cross_entropy(logits, labels, weight)
    if form == "cross_entropy":
        return ce
    return 0.5 * (ce + segmentation.dice(logits, labels, weight))
