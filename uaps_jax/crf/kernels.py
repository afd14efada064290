"""Gaussian kernels between all pixels of an image, as operators on maps of values.

k(i, j) = exp(-|f_i - f_j|^2 / 2) for the features f of the pixels (Kraehenbuehl and Koltun 2011,
Eq. 3): the position divided by its sigma, and, in a bilateral kernel, the guide's grey value or
colour divided by its own. A pixel is a neighbour of itself, as in the released code.
"""

from __future__ import annotations

from typing import Protocol

import jax


class Kernel(Protocol):
    """A symmetric kernel of an image with `[H, W]` pixels; a pytree of arrays."""

    def apply(self, values: jax.Array) -> jax.Array:
        """sum_j k(i, j) v_j for every pixel i: `[H, W, C]` to `[H, W, C]`, in float32."""
