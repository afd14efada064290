"""Mean-field inference of a fully connected conditional random field with Potts compatibility.

Energy of labels x (Kraehenbuehl and Koltun 2011, Eq. 1, 2):
E(x) = sum_i U_i(x_i) + sum_{i<j} [x_i != x_j] sum_m w_m k_m(i, j)
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from uaps_jax.crf.kernels import Kernel

LEAST_PROBABILITY = 1e-5
"""The least probability whose logarithm is taken, as in the released code of URN."""


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["kernel", "weight", "scale", "ones"],
    meta_fields=[],
)
@dataclasses.dataclass(frozen=True)
class Pairwise:
    """A weighted kernel, normalised symmetrically: D^-1/2 K D^-1/2, D = diag(K 1).

    Attributes:
      kernel: K.
      weight: w.
      scale: the diagonal of D^-1/2, `[H, W, 1]`.
      ones: the normalised kernel's result for ones, `[H, W, 1]`.
    """

    kernel: Kernel
    weight: jax.Array
    scale: jax.Array
    ones: jax.Array


def pairwise(kernel: Kernel, weight: float, size: tuple[int, int]) -> Pairwise:
    """The kernel of an image of a size (height, width), ready for any number of inferences."""
    scale = jax.lax.rsqrt(kernel.apply(jnp.ones((*size, 1), jnp.float32)))
    ones = scale * kernel.apply(scale)
    return Pairwise(kernel, jnp.asarray(weight, jnp.float32), scale, ones)


def unary_energy(probabilities: jax.Array) -> jax.Array:
    """U = -log max(p, 1e-5), of the shape of the probabilities."""
    return -jnp.log(jnp.clip(probabilities.astype(jnp.float32), LEAST_PROBABILITY, 1))


def mean_field(unary: jax.Array, terms: Sequence[Pairwise], iterations: int) -> jax.Array:
    """The marginals Q of the labels, after parallel updates from Q = softmax(-U).

    Q_i(c) <- softmax_c(-U_i(c) + sum_m w_m sum_j k~_m(i, j) Q_j(c)), k~ the normalised kernels;
    Potts compatibility and the normalisation of pydensecrf, which counts each pixel as a neighbour
    of itself.

    Args:
      unary: U, `[H, W, C]`.
      terms: the kernels.
      iterations: number of updates.

    Returns:
      float32 `[H, W, C]`.
    """

    def update(_: int, q: jax.Array) -> jax.Array:
        logits = -unary
        for term in terms:
            # The last class follows from the others, because Q adds up to one.
            some = term.scale * term.kernel.apply(term.scale * q[..., :-1])
            rest = term.ones - some.sum(-1, keepdims=True)
            logits = logits + term.weight * jnp.concatenate([some, rest], -1)
        return jax.nn.softmax(logits)

    return jax.lax.fori_loop(0, iterations, update, jax.nn.softmax(-unary))
