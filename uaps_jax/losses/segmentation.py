"""Supervised losses of one decoder: cross entropy and batch Dice (UAPS, Eq. for L_sup)."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE

DICE_EPSILON = 1e-7

Normalizer = Literal["labeled", "weight"]
"""The divisor of a weighted sum over pixels: the number of labeled pixels (UniMatch, where the
weight is 1 for kept pixels and 0 for others), or the sum of their weights (PyTorch's class
weights)."""


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


def cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    weight: jax.Array | None = None,
    normalizer: Normalizer = "labeled",
) -> jax.Array:
    """Mean of `pixel_cross_entropy` over the labeled pixels of the batch; 0 if there are none.

    Args:
      logits: `[B, H, W, C]`.
      labels: integer class ids `[B, H, W]`; pixels of label 255 are left out.
      weight: of each pixel, not negative, `[B, H, W]`; all ones if None.
      normalizer: what the sum is divided by.
    """
    values, labeled = pixel_cross_entropy(logits, labels), labels != IGNORE
    if weight is None:
        return masked_mean(values, labeled)
    if normalizer == "labeled":
        return masked_mean(values * weight, labeled)
    return weighted_mean(values, jnp.where(labeled, weight, 0))


def class_weighted_cross_entropy(
    logits: jax.Array, labels: jax.Array, class_weights: jax.Array
) -> jax.Array:
    """sum w_y CE / sum w_y over the labeled pixels, y their labels (PyTorch's `weight`).

    Args:
      logits: `[B, H, W, C]`.
      labels: integer class ids `[B, H, W]`; pixels of label 255 are left out.
      class_weights: w, not negative, `[C]`.
    """
    weight = jnp.take(class_weights, jnp.where(labels == IGNORE, 0, labels))
    return cross_entropy(logits, labels, weight, "weight")


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


def cross_entropy_and_dice(
    logits: jax.Array,
    labels: jax.Array,
    weight: jax.Array | None = None,
    normalizer: Normalizer = "labeled",
) -> jax.Array:
    """(CE + Dice) / 2, the hard-label loss of every decoder in UAPS's study.

    The arguments are those of `cross_entropy`; `normalizer` applies to CE only.
    """
    ce = cross_entropy(logits, labels, weight, normalizer)
    return 0.5 * (ce + dice(logits, labels, weight))


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of `values` where `mask` is true; 0 if it is true nowhere."""
    mask = mask.astype(values.dtype)
    return (values * mask).sum() / jnp.maximum(mask.sum(), 1)


def weighted_mean(values: jax.Array, weight: jax.Array) -> jax.Array:
    """sum w v / sum w, for weights w that are not negative; 0 if all weights are 0."""
    total = weight.sum()
    return (values * weight).sum() / jnp.where(total > 0, total, 1)
