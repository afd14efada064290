"""Arrays of the positions along a side, whose length may be symbolic while a network is exported.

`jax.export` traces a program for images of any size; their sides are then symbols of JAX's shape
polymorphism, of which numpy makes no arrays.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray | jax.Array


def places(size: int) -> Array:
    """0 to `size` - 1: a constant, or an array of the traced program for a symbolic size."""
    return jnp.arange(size) if jax.export.is_symbolic_dim(size) else np.arange(size)
