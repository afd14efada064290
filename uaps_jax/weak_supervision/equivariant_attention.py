"""Losses of a classifier whose activation maps follow its views (SEAM: Wang et al. 2020).

Maps have the background first, `[B, h, w, 1 + K]`, as `with_background` adds it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

EPSILON = 1e-5

HARD_SHARE = 0.2
"""The share of the largest differences in `cross_regularization`."""

LOW_SHARE = 0.25
"""The share of the lowest positions in `low_activation_loss`."""


def multilabel_soft_margin(logits: jax.Array, tags: jax.Array) -> jax.Array:
    """Mean binary cross entropy of the classes (PyTorch's `multilabel_soft_margin_loss`).

    Args:
      logits: `[B, K]`, mean activations.
      tags: classes that are in the image, 0 or 1, `[B, K]`.
    """
    positive, negative = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    return -(tags * positive + (1 - tags) * negative).mean()


def with_background(maps: jax.Array) -> jax.Array:
    """Activations of K classes with that of the background in front, 1 - max_k v_k.

    Args:
      maps: v, 0 to 1, `[B, h, w, K]`.
    """
    return jnp.concatenate([1 - maps.max(-1, keepdims=True), maps], -1)


def pixel_correlation(maps: jax.Array, features: jax.Array) -> jax.Array:
    """Maps in which each position takes the mean of those with similar features (PCM).

    v'(i) = sum_j a_ji v(j) / (sum_j a_ji + 1e-5), a_ij = relu(cos(x_i, x_j)).

    Args:
      maps: v, `[B, h, w, C]`.
      features: x, `[B, h, w, F]`.

    Returns:
      `[B, h, w, C]`.
    """
    batch, height, width, classes = maps.shape
    x = features.reshape(batch, height * width, -1)
    # The norm with a gradient at x = 0, too.
    square = jnp.square(x).sum(-1, keepdims=True)
    norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
    x = x / (norm + EPSILON)
    similar = jax.nn.relu(jnp.einsum("bif,bjf->bij", x, x, precision="highest"))
    similar = similar / (similar.sum(1, keepdims=True) + EPSILON)
    flat = maps.reshape(batch, height * width, classes)
    return jnp.einsum("bjc,bji->bic", flat, similar, precision="highest").reshape(maps.shape)


def equivariant_regularization(maps: jax.Array, others: jax.Array) -> jax.Array:
    """ER = mean |v - v'| over the classes without the background.

    Args:
      maps: v of one view, `[B, h, w, 1 + K]`.
      others: v' of the other view, resized to it.
    """
    return jnp.abs(maps[..., 1:] - others[..., 1:]).mean()


def cross_regularization(
    maps: jax.Array, others: jax.Array, refined: jax.Array, refined_others: jax.Array
) -> jax.Array:
    """ECR = T(|m(v') - r|) + T(|m(v) - r'|), T the mean of each image's largest 20 %.

    m keeps the background and, of the other classes, the largest one at each position; it carries
    no gradient.

    Args:
      maps: v of one view, `[B, h, w, 1 + K]`.
      others: v' of the other view, resized to it.
      refined: r, `pixel_correlation` of v.
      refined_others: r', of v'.
    """
    pairs = ((others, refined), (maps, refined_others))
    return sum(
        (_largest(jnp.abs(_strongest(target) - prediction)) for target, prediction in pairs),
        jnp.zeros(()),
    )


def low_activation_loss(maps: jax.Array) -> jax.Array:
    """The mean over the lowest quarter of each image's positions of max(0, max_k v_k).

    Adaptive minimum pooling: it presses down what an image without doubt does not show. The largest
    value is that of a class k without the background, which is high where no class is.

    Args:
      maps: v, `[B, h, w, 1 + K]`; SEAM sets the classes that an image does not have to 0.
    """
    flat = maps[..., 1:].max(-1).reshape(maps.shape[0], -1)
    count = max(1, int(flat.shape[1] * LOW_SHARE))
    lowest = -jax.lax.top_k(-flat, count)[0]
    return jax.nn.relu(lowest).mean()


def _strongest(maps: jax.Array) -> jax.Array:
    maps = jax.lax.stop_gradient(maps)
    classes = maps[..., 1:]
    kept = jnp.where(classes == classes.max(-1, keepdims=True), classes, 0)
    return jnp.concatenate([maps[..., :1], kept], -1)


def _largest(differences: jax.Array) -> jax.Array:
    flat = differences.reshape(differences.shape[0], -1)
    return jax.lax.top_k(flat, max(1, int(flat.shape[1] * HARD_SHARE)))[0].mean()
