"""Weights that grow over the run."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def ramp_up(step: jax.Array, stair: jax.Array, length: jax.Array) -> jax.Array:
    """exp(-5 (1 - min(floor(step / stair), length) / length)^2) (Laine and Aila 2017).

    A staircase that moves every `stair` steps, from exp(-5) to 1 after `stair * length` steps.
    All three may be traced, so that a sweep compiles once.
    """
    moved = jnp.minimum(jnp.floor(step / stair), length)
    return jnp.exp(-5 * (1 - moved / length) ** 2)
