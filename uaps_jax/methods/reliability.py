"""Reliable pixels: those whose entropy is below a percentile that rises over training (U2PL).

    H_j     = - sum_c p_jc log p_jc
    gamma_t = percentile(H, 100 (1 - alpha_t)),     alpha_t = alpha_0 (1 - t / T)
    pixel j is reliable if H_j <= gamma_t

The percentile is over all pixels of the batch, of all devices, or over those of each pseudo-label:
where a defect covers less than alpha_0 of the pixels, nearly all of its pixels can be above a
percentile of the whole batch. With `train.accumulate` > 1 each piece of the batch has percentiles
of its own. U2PL writes H_j < gamma_t; `<=` differs for equal entropies only, and keeps a pixel
where all are equal.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

Over = Literal["all", "class"]


class Reliable(NamedTuple):
    """The pseudo-labels of some images and which of them are reliable.

    Attributes:
      labels: class ids `[B, H, W]`.
      is_reliable: boolean `[B, H, W]`.
    """

    labels: jax.Array
    is_reliable: jax.Array


def unreliable_share(initial: jax.Array, step: jax.Array, steps: jax.Array) -> jax.Array:
    """alpha_t of the 0-based step t of T = `steps`."""
    return initial * (1 - step / steps)


def entropy(logits: jax.Array) -> jax.Array:
    """In nats, of the softmax of logits: `[..., C]` to `[...]`."""
    log_p = jax.nn.log_softmax(logits)
    return -(jnp.exp(log_p) * log_p).sum(-1)


def percentiles(values: jax.Array, groups: jax.Array, count: int, fraction: jax.Array) -> jax.Array:
    """The quantile of every group by linear interpolation, as numpy's: `[count]`.

    That of a group without values is not meant to be read.

    Args:
      values: `[N]`, finite.
      groups: int `[N]`, 0 to `count` - 1.
      count: of the groups.
      fraction: 0 to 1.
    """
    if count == 1:
        sorted_groups, ordered = groups, jnp.sort(values)  # one array is sorted faster
    else:
        sorted_groups, ordered = jax.lax.sort((groups, values), num_keys=2)
    first = jnp.searchsorted(sorted_groups, jnp.arange(count + 1, dtype=groups.dtype))
    last = first[1:] - 1
    place = fraction * jnp.maximum(last - first[:-1], 0)
    below = jnp.floor(place).astype(first.dtype)
    share = place - below
    low = jnp.minimum(first[:-1] + below, len(values) - 1)
    high = jnp.maximum(jnp.minimum(low + 1, last), low)
    return ordered[low] + share.astype(values.dtype) * (ordered[high] - ordered[low])


def reliable(logits: jax.Array, unreliable: jax.Array, over: Over) -> Reliable:
    """The pseudo-labels of logits `[B, H, W, C]`.

    Args:
      logits: of the teacher.
      unreliable: alpha_t.
      over: what the percentile is over.
    """
    labels, h = logits.argmax(-1).astype(jnp.int32), entropy(logits)
    groups = labels if over == "class" else jnp.zeros_like(labels)
    count = logits.shape[-1] if over == "class" else 1
    limits = percentiles(h.reshape(-1), groups.reshape(-1), count, 1 - unreliable)
    return Reliable(labels, h <= limits[groups])
