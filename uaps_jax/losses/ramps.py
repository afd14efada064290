"""Weights that grow over the run."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def ramp_up(step: jax.Array, interval: jax.Array, length: jax.Array) -> jax.Array:
    """exp(-5 (1 - min(floor(step / interval), length) / length)^2) (Laine and Aila 2017).

    A step function from exp(-5) to 1 that rises every `interval` steps and is 1 from step
    `interval * length` on. All three may be traced, so that a sweep compiles once.
    """
    position = jnp.minimum(jnp.floor(step / interval), length)
    return jnp.exp(-5 * (1 - position / length) ** 2)
