"""Supervised losses of one head: cross entropy and batch Dice (UAPS, Eq. for L_sup)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE

DICE_EPSILON = 1e-7


def pixel_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """-log p_y per pixel, `[B, H, W]`; 0 where the label is 255.

    Args:
      logits: `[B, H, W, C]`.
      labels: integer class ids `[B, H, W]`, 255 where there is none.
    """
    log_p = jax.nn.log_softmax(logits)
    classes = jnp.where(labels == IGNORE, 0, labels)
    picked = jnp.take_along_axis(log_p, classes[..., None], axis=-1)[..., 0]
    return jnp.where(labels == IGNORE, 0.0, -picked)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean of `pixel_cross_entropy` over the labeled pixels of the batch; 0 if there are none."""
    return masked_mean(pixel_cross_entropy(logits, labels), labels != IGNORE)


def dice(logits: jax.Array, labels: jax.Array, weight: jax.Array | None = None) -> jax.Array:
    """Soft Dice loss over the batch, background included.

    1 - 1/C sum_c 2 I_c / (S_c + 1e-7), I_c = sum w p_c y_c, S_c = sum w (p_c + y_c), with sums
    over images and pixels. A class absent from the batch adds a constant 1/C and no gradient, as
    in the released code.

    Args:
      logits: `[B, H, W, C]`.
      labels: integer class ids `[B, H, W]`; pixels of label 255 are left out.
      weight: `[B, H, W]`, the w above; all ones if None.
    """
    classes = logits.shape[-1]
    valid = (labels != IGNORE).astype(logits.dtype)
    weight = (valid if weight is None else valid * weight)[..., None]
    p = jax.nn.softmax(logits)
    y = jax.nn.one_hot(labels, classes, dtype=logits.dtype)
    intersection = (weight * p * y).sum((0, 1, 2))
    total = (weight * (p + y)).sum((0, 1, 2))
    return 1 - (2 * intersection / (total + DICE_EPSILON)).mean()


def cross_entropy_and_dice(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """(CE + Dice) / 2, the hard-label loss of every head in UAPS's study."""
    return 0.5 * (cross_entropy(logits, labels) + dice(logits, labels))


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of `values` where `mask` holds, 0 where it holds nowhere."""
    mask = mask.astype(values.dtype)
    return (values * mask).sum() / jnp.maximum(mask.sum(), 1)
