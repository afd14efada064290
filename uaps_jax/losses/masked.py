"""Losses of pseudo-labels, some of whose pixels are left out or weigh less."""

from __future__ import annotations

from typing import Literal

import jax

from uaps_jax.losses import segmentation

LossForm = Literal["cross_entropy_and_dice", "cross_entropy", "dice"]


def masked_loss(
    logits: jax.Array, labels: jax.Array, weight: jax.Array | None, form: LossForm
) -> jax.Array:
    """The loss of one view from logits `[B, H, W, C]`, labels and weights `[B, H, W]`, None for 1.

    The sum of the weighted cross entropy is divided by the number of all pixels (UniMatch); Dice
    leaves out pixels of weight 0.
    """
    if form == "cross_entropy":
        return segmentation.cross_entropy(logits, labels, weight)
    if form == "dice":
        return segmentation.dice(logits, labels, weight)
    return segmentation.cross_entropy_and_dice(logits, labels, weight)
