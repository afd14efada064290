"""Weights that grow over the run."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def ramp_up(step: jax.Array, interval: jax.Array, length: jax.Array) -> jax.Array:
    """exp(-5 (1 - min(floor(step / interval), length) / length)^2) (Laine and Aila 2017).

    A staircase from exp(-5) to 1 that moves every `interval` steps and arrives after
    `interval * length`. All three may be traced, so that a sweep compiles once.
    """
    moved = jnp.minimum(jnp.floor(step / interval), length)
    return jnp.exp(-5 * (1 - moved / length) ** 2)
