"""Which pixels are anchors, positives and negatives of the contrastive term (U2PL, Eq. 9-16).

For a class c, teacher probabilities p, labels y, pseudo-labels y_hat and O_j(c), the rank of c at
pixel j (0: the most probable class):

    anchors    labeled y_j = c, unlabeled y_hat_j = c and reliable; both with p_j(c) > delta
    positives  as the anchors
    negatives  labeled    y_j != c and O_j(c) < r_l
               unlabeled  not reliable and r_l <= O_j(c) < r_h
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE


def ranks_for(classes: int) -> tuple[int, int]:
    """(r_l, r_h) for C classes, the background included: min(3, C - 2), but at least 1, and C.

    Published for 19 and 21 classes: (3, 20). With two or three classes that leaves no unlabeled
    negative; r_l = 1, r_h = C is what remains.
    """
    return max(1, min(3, classes - 2)), classes


def anchors(
    labels: jax.Array, probability: jax.Array, threshold: jax.Array, classes: int
) -> jax.Array:
    """Boolean `[C, N]`.

    Args:
      labels: `[N]`, labels or reliable pseudo-labels, 255 where there is none.
      probability: of the label, `[N]`.
      threshold: delta.
      classes: C.
    """
    is_sure = probability > threshold
    return (labels[None] == jnp.arange(classes)[:, None]) & is_sure[None]


def ranks(probabilities: jax.Array) -> jax.Array:
    """The rank of every class: `[N, C]` to int32 `[C, N]`; of equal classes the first is before."""
    classes = probabilities.shape[-1]
    of_class = probabilities.T
    place = jnp.arange(classes)
    is_before = (place[:, None] < place[None])[..., None]  # the first axis is before the second
    larger = of_class[:, None] > of_class[None]
    equal = of_class[:, None] == of_class[None]
    return (larger | (equal & is_before)).sum(0, dtype=jnp.int32)


def labeled_negatives(labels: jax.Array, rank: jax.Array, low: int) -> jax.Array:
    """Boolean `[C, N]`, of labels `[N]`, 255 where there is none, and ranks `[C, N]`."""
    other = labels[None] != jnp.arange(len(rank), dtype=labels.dtype)[:, None]
    return other & (labels != IGNORE)[None] & (rank < low)


def unlabeled_negatives(is_reliable: jax.Array, rank: jax.Array, low: int, high: int) -> jax.Array:
    """Boolean `[C, N]`, of `[N]` and ranks `[C, N]`."""
    return ~is_reliable[None] & (rank >= low) & (rank < high)


def draw(key: jax.Array, members: jax.Array, count: int) -> jax.Array:
    """`count` members of each class, uniform with replacement: indices int32 `[C, count]`.

    Those of a class without members are not meant to be read, but are inside the array.

    Args:
      key: of this draw.
      members: boolean `[C, N]`.
      count: of the draws.
    """
    cumulative = jnp.cumsum(members.astype(jnp.int32), axis=1)
    number = jnp.maximum(cumulative[:, -1:], 1)
    wanted = jax.random.randint(key, (len(members), count), 1, number + 1)
    found = jax.vmap(jnp.searchsorted)(cumulative, wanted)
    return jnp.minimum(found, members.shape[1] - 1).astype(jnp.int32)
