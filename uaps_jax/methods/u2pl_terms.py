"""The terms of U2PL but the contrastive one, and the shares of the pixels that are learnt."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE
from uaps_jax.losses import masked, ohem
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods.reliability import Reliable


def labeled_loss(
    logits: jax.Array, labels: jax.Array, form: LossForm, threshold: float, kept: float
) -> jax.Array:
    """l(f(x), y), with the cross-entropy of hard pixels for a threshold below 1.

    Args:
      logits: `[B, H, W, C]`.
      labels: `[B, H, W]`.
      form: l; "dice" has no cross-entropy and needs a threshold of 1.
      threshold: pixels whose label has at most this probability are learnt.
      kept: share of the batch's pixels that are learnt at least.
    """
    if threshold == 1:
        return masked.masked_loss(logits, labels, None, form)

    def hard(logits: jax.Array, labels: jax.Array, weight: jax.Array | None) -> jax.Array:
        fewest = round(kept * labels.size)
        return ohem.ohem_cross_entropy(logits, labels, threshold=threshold, min_kept=fewest)

    return masked.masked_loss(logits, labels, None, form, hard)


def unlabeled_loss(logits: jax.Array, labels: jax.Array, form: LossForm) -> jax.Array:
    """(|pixels| / |labeled pixels|) l; 0 without a labeled pixel.

    Args:
      logits: `[B, H, W, C]`.
      labels: pseudo-labels `[B, H, W]`, 255 where there is none.
      form: l, a mean over the labeled pixels.
    """
    count = (labels != IGNORE).sum()
    value = masked.masked_loss(logits, labels, None, form)
    inverse = jnp.where(count > 0, labels.size / jnp.maximum(count, 1), 0)
    return inverse.astype(value.dtype) * value


def kept(found: Reliable, labels: jax.Array, classes: int) -> dict[str, jax.Array]:
    """Shares of the unlabeled pixels that are learnt.

    `kept`: of all pixels, behind the mixing. `kept_<c>`: of those whose pseudo-label is class c,
    before the mixing; 0 where there is no such pixel.

    Args:
      found: before the mixing.
      labels: behind it, 255 where there is none.
      classes: their number.
    """
    of_class = found.labels[..., None] == jnp.arange(classes).reshape(1, 1, 1, -1)
    reliable = (of_class & found.is_reliable[..., None]).sum((0, 1, 2))
    shares = reliable / jnp.maximum(of_class.sum((0, 1, 2)), 1)
    by_class = {f"kept_{label}": shares[label] for label in range(classes)}
    return {"kept": (labels != IGNORE).mean(), **by_class}
