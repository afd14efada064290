"""Energy terms: as in DUEB's released code, and the free energy."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE
from uaps_jax.losses.segmentation import masked_mean


def pixel_energy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """`released`: log mean_i exp(p_i), p_i the probability of pixel i's label.

    DUEB's code adds the log-sum-exp over all labeled *pixels* of the labeled class's
    probability; minimised, it penalises confidence. Here ln N, a constant of about 14, is
    subtracted, so that the value is readable; the gradient is the same. 0 without labeled pixels.

    Args:
      logits: `[B, H, W, C]`.
      labels: class ids `[B, H, W]`, 255 where there is none.
    """
    valid = labels != IGNORE
    classes = jnp.where(valid, labels, 0)
    p = jnp.take_along_axis(jax.nn.softmax(logits), classes[..., None], axis=-1)[..., 0]
    # p is in [0, 1]: its exponential needs no shift.
    total = jnp.where(valid, jnp.exp(p), 0.0).sum()
    count = valid.sum()
    mean = total / jnp.maximum(count, 1).astype(total.dtype)
    return jnp.log(jnp.where(count > 0, mean, 1.0))


def free_energy(logits: jax.Array) -> jax.Array:
    """E = -log sum_c exp(f_c) per pixel (JEM, Grathwohl et al. 2020): `[..., C]` to `[...]`."""
    return -jax.nn.logsumexp(logits, axis=-1)


def energy_hinge(
    logits: jax.Array, inside: jax.Array, outside: jax.Array, margins: tuple[float, float]
) -> jax.Array:
    """`repaired`: squared hinges for low energy on trusted pixels and high on disputed ones.

    mean_inside relu(E - m_in)^2 + mean_outside relu(m_out - E)^2 (Liu et al. 2020, Eq. 8 with
    its signs for E = -logsumexp); an empty set adds 0.

    Args:
      logits: `[B, H, W, C]`.
      inside: boolean `[B, H, W]`, pixels with a trusted label.
      outside: boolean `[B, H, W]`, pixels on which predictions disagree.
      margins: (m_in, m_out).
    """
    energy = free_energy(logits)
    low, high = margins
    return masked_mean(jax.nn.relu(energy - low) ** 2, inside) + masked_mean(
        jax.nn.relu(high - energy) ** 2, outside
    )
