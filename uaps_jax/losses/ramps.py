"""Weights that grow over the run."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def ramp_up(step: jax.Array, interval: jax.Array, length: jax.Array) -> jax.Array:
    """exp(-5 (1 - min(floor(step / interval), length) / length)^2) (Laine and Aila 2017).

    A step function from exp(-5) to 1 that rises every `interval` steps and is 1 from step
    `interval * length` on; 1 everywhere if `length` is 0. All three may be traced, so that a sweep
    compiles once.
    """
    position = jnp.minimum(jnp.floor(step / interval), length)
    share = jnp.where(length > 0, position / jnp.maximum(length, 1), 1.0)
    return jnp.exp(-5 * (1 - share) ** 2)


def triangle(step: jax.Array, steps: jax.Array) -> jax.Array:
    """A weight that rises linearly from 0 to 1 over half of the steps and falls back to 0."""
    return 1 - jnp.abs(2 * step / steps - 1)
